"""A build backend (PEP 517) without dependencies, so that the package can be installed where there
is no network.
"""

import tomllib
import zipfile
from pathlib import Path


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    name, version = project["name"].replace("-", "_"), project["version"]
    folder = f"{name}-{version}.dist-info"
    groups = "\n".join(
        f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in points.items())
        for group, points in project["entry-points"].items()
    )
    files = {
        "notistream_carrier.py": Path("notistream_carrier.py").read_text(),
        f"{folder}/METADATA": (
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n"
        ),
        f"{folder}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: backend\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
        f"{folder}/entry_points.txt": groups + "\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{folder}/RECORD"])
    wheel = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / wheel, "w") as archive:
        for path, text in {**files, f"{folder}/RECORD": record}.items():
            archive.writestr(path, text)
    return wheel
