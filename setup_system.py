"""Makes sure that the system libraries are there which OpenCV, mediapipe and open3d link but do not carry.

Run by `make setup`. Installs them through apt where it may, else prints the one line to run.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys

PACKAGE_OF = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libX11.so.6": "libx11-6",
    "libgomp.so.1": "libgomp1",
}


def missing_packages() -> list[str]:
    """Debian packages of the libraries that cannot be loaded."""
    return [package for library, package in PACKAGE_OF.items() if not loads(library)]


def loads(library: str) -> bool:
    """Whether the dynamic linker finds a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def install(packages: list[str]) -> bool:
    """Install through apt where this user may; returns whether it worked."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    commands = (["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages])
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return all(subprocess.run(command, env=environment, stdout=sys.stderr).returncode == 0 for command in commands)


def main() -> int:
    """Returns 1 and prints the remedy where something stays missing."""
    packages = missing_packages() if sys.platform == "linux" else []
    if packages and not install(packages):
        print("System libraries are missing. Run this line, then the same command again:", file=sys.stderr)
        print(f"  sudo apt-get install -y {' '.join(packages)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
