"""Starts the emulators."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo import local

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# LocalStack's.
ACCOUNT = "000000000000"


@contextmanager
def emulators(folder: Path) -> Iterator[str]:
    """Runs LocalStack and moto; yields the endpoint of the account."""
    localstack, account = (f"http://{local.HOST}:{local.free_port()}" for _ in range(2))
    address = localstack.removeprefix("http://")
    home = folder / "localstack"
    home.mkdir()
    env = {
        "EMULATED_URL": account,
        "GATEWAY_LISTEN": address,
        "HOME": str(home),
        "TMPDIR": str(home),
        "SQS_ENDPOINT_STRATEGY": "off",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
        "DNS_ADDRESS": "0",
        # Lambda waits one minute before the first retry, and two before the second.
        "LAMBDA_RETRY_BASE_DELAY": "1",
    }
    command = [str(ROOT / ".venv-emulated/bin/python"), str(HERE / "lambda_process.py")]
    log = folder / "localstack.log"
    ready = f"{localstack}/_localstack/health"
    with local.running("LocalStack", command, log, lambda: local.answers(ready), env):
        env = {
            "LOCALSTACK_URL": localstack,
            "MOTO_ACCOUNT_ID": ACCOUNT,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'terraform/tests'}",
        }
        port = account.rpartition(":")[2]
        command = [sys.executable, str(HERE / "emulator.py"), "-H", local.HOST, "-p", port]
        log = folder / "moto.log"
        ready = f"{account}/moto-api/"
        with local.running("moto", command, log, lambda: local.answers(ready), env):
            yield account
