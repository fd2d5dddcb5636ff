"""The source of the module."""

import subprocess

from tf import MODULE, Terraform


def test_the_source_is_formatted(initialised: Terraform) -> None:
    command = ["terraform", "fmt", "-check", "-diff", "-recursive", str(MODULE)]
    done = subprocess.run(command, env=initialised.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_module_is_valid_without_warnings(initialised: Terraform) -> None:
    done = initialised.run("validate", "-no-color")
    assert done.strip() == "Success! The configuration is valid."
