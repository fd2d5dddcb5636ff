"""Checks the dependencies that Cargo would build: `tree.py`.

An AWS client takes minutes to compile, and Cargo compiles it again if any of its dependencies has
different features. So every selection of packages must agree on these features. The programs need
only one TLS stack, and only the AWS SDK implements AWS's protocols.
"""

import subprocess
import sys
from collections import defaultdict
from functools import cache

# How the Makefile and the scripts select packages.
FUNCTION = ("--package", "enforcer")
COMMAND = ("--package", "imdsctl")
WORKSPACE = ("--workspace",)
TESTS = ("--workspace", "--edges", "dev")
# AWS clients, and the selections that build them.
CLIENTS = {
    "aws-sdk-cloudwatch": (FUNCTION, COMMAND, WORKSPACE, TESTS),
    "aws-sdk-dynamodb": (FUNCTION, COMMAND, WORKSPACE, TESTS),
    "aws-sdk-ec2": (FUNCTION, COMMAND, WORKSPACE, TESTS),
    "aws-sdk-autoscaling": (COMMAND, WORKSPACE, TESTS),
    "aws-sdk-sts": (COMMAND, WORKSPACE, TESTS),
}
# TLS stacks other than rustls with ring.
UNWANTED = ("aws-lc-rs", "hyper v0.14", "native-tls", "openssl-sys")
# Crates that implement what the AWS SDK already does.
PROTOCOLS = ("aws-sigv4", "form_urlencoded", "quick-xml")

Features = dict[str, set[str]]


def main() -> None:
    """Reports every fault."""
    faults = []
    for client, selections in CLIENTS.items():
        below = tree(("--package", client))
        first, *others = selections
        for package in below:
            wanted = tree(first).get(package)
            faults += [
                f"{client} would be compiled again: {package} has {tree(other).get(package)} "
                f"with `{' '.join(other)}`, and {wanted} with `{' '.join(first)}`"
                for other in others
                if tree(other).get(package) != wanted
            ]
    for selection in (FUNCTION, COMMAND):
        faults += [
            f"`{' '.join(selection)}` builds {package}"
            for package in tree(selection)
            if package.startswith(UNWANTED)
        ]
    faults += [
        f"{package} depends on {dependency}: the AWS SDK does that"
        for package in ("enforcer", "imds-aws", "imdsctl")
        for dependency in tree(("--package", package, "--depth", "1"))
        if dependency.startswith(PROTOCOLS)
    ]
    if faults:
        sys.exit("\n".join(faults))


@cache
def tree(selection: tuple[str, ...]) -> Features:
    """Returns the features of every package in the selection."""
    command = ["cargo", "tree", "--locked", "--no-dedupe", "--prefix", "none"]
    command += ["--edges", "normal,build", "--format", "{p}|{f}", *selection]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    packages = defaultdict(set)
    for line in output.splitlines():
        package, _, features = line.replace(" (proc-macro)", "").partition("|")
        packages[package].add(features)
    return packages


main()
