"""Checks what cargo would build: `tree.py`.

A feature more or less below one of AWS's generated clients compiles it once more, for minutes. So
every way of selecting packages has to agree on them. One TLS stack is enough, and AWS's protocols
are for its SDK to speak.
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
# Clients, and the selections that build them.
CLIENTS = {
    "aws-sdk-cloudwatch": (FUNCTION, COMMAND, WORKSPACE, TESTS),
    "aws-sdk-ec2": (FUNCTION, COMMAND, WORKSPACE, TESTS),
    "aws-sdk-autoscaling": (COMMAND, WORKSPACE, TESTS),
    "aws-sdk-sts": (COMMAND, WORKSPACE, TESTS),
}
# TLS stacks beside rustls with ring.
UNWANTED = ("aws-lc-rs", "hyper v0.14", "native-tls", "openssl-sys")
# What AWS's SDK does for those who call AWS.
PROTOCOLS = ("aws-sigv4", "form_urlencoded", "quick-xml")

Features = dict[str, set[str]]


def main() -> None:
    """Tells every fault."""
    faults = []
    for client, selections in CLIENTS.items():
        below = tree(("--package", client))
        first, *others = selections
        for package in below:
            wanted = tree(first).get(package)
            faults += [
                f"{client} would be compiled once more: {package} has {tree(other).get(package)} "
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
        f"{package} asks for {dependency}, which AWS's SDK stands for"
        for package in ("enforcer", "imds-aws", "imdsctl")
        for dependency in tree(("--package", package, "--depth", "1"))
        if dependency.startswith(PROTOCOLS)
    ]
    if faults:
        sys.exit("\n".join(faults))


@cache
def tree(selection: tuple[str, ...]) -> Features:
    """The features of every package."""
    command = ["cargo", "tree", "--locked", "--no-dedupe", "--prefix", "none"]
    command += ["--edges", "normal,build", "--format", "{p}|{f}", *selection]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    packages = defaultdict(set)
    for line in told.splitlines():
        package, _, features = line.replace(" (proc-macro)", "").partition("|")
        packages[package].add(features)
    return packages


main()
