"""The end of the deployed chain."""

from chain import REGIONS, Chain


def test_a_destroy_leaves_nothing(chain: Chain) -> None:
    chain.terraform.destroy()
    after = {region: chain.cloud.resources(region) for region in REGIONS}
    assert after == chain.before
