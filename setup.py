"""Which folders are installed as which packages.

Three folders at the top level are installed inside of ``promptlab``; everything else about the
project stands in ``pyproject.toml``.
"""

from setuptools import find_packages, setup

INSIDE = {
    "promptlab.library.shipped": "templates",
    "promptlab.studies": "studies",
    "promptlab.ui": "ui",
}

packages = find_packages(include=["promptlab", "promptlab.*"])
for name, folder in INSIDE.items():
    packages += [name, *(f"{name}.{inner}" for inner in find_packages(folder))]

setup(packages=packages, package_dir={"promptlab": "promptlab", **INSIDE})
