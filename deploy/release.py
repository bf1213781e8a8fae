"""Builds what is released, checks it, and writes its bill of materials.

    python deploy/release.py [FOLDER]      by default dist/, which must be empty

For each distribution a source archive and, from that archive, a wheel. Both are examined: one version everywhere, the
licence and the type marker in the wheel, nothing in the archive that is not ours. The bill of materials (CycloneDX 1.5,
JSON) has the distributions with their hashes and the pinned dependencies of deploy/*.lock.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROJECTS = (ROOT, *sorted((ROOT / "plugins").iterdir()))
#: What a source archive may have at its top level, beside its packages.
_ARCHIVE = {
    *("PKG-INFO", "LICENSE", "README.md", "pyproject.toml", ".gitignore", "hatch_build.py", "package.json"),
    *("package-lock.json", "core"),
}


def fail(sentence: str) -> None:
    sys.exit(f"release: {sentence}")


def build(project: Path, folder: Path) -> tuple[Path, Path]:
    """Source archive and wheel of a project."""
    with tempfile.TemporaryDirectory() as made:
        command = [sys.executable, "-m", "build", "--no-isolation", "-o", made, str(project)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            fail(f"{project.name} can't be built:\n{ran.stdout}{ran.stderr}")
        (archive,), (wheel,) = Path(made).glob("*.tar.gz"), Path(made).glob("*.whl")
        return archive.rename(folder / archive.name), wheel.rename(folder / wheel.name)


def examine(project: Path, archive: Path, wheel: Path) -> dict[str, Any]:
    """The facts of a project; ends the program when its files are not as they should be."""
    facts: dict[str, Any] = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    package = facts["name"].replace("-", "_")
    for path in (archive, wheel):
        if not path.name.startswith(f"{package}-{facts['version']}"):
            fail(f"{path.name} is not {package} {facts['version']}")
    names = zipfile.ZipFile(wheel).namelist()
    if f"{package}/py.typed" not in names:
        fail(f"{wheel.name} has no {package}/py.typed")
    foreign = [name for name in names if not name.startswith((f"{package}/", f"{package}-", f"pytest_{package}.py"))]
    if foreign:
        fail(f"{wheel.name} has {foreign}")
    with tarfile.open(archive) as opened:
        tops = {name.split("/")[1] for name in opened.getnames() if "/" in name}
    if tops - _ARCHIVE - {package}:
        fail(f"{archive.name} has {sorted(tops - _ARCHIVE - {package})}")
    return facts


def dependencies() -> list[dict[str, Any]]:
    """The locked dependencies as components."""
    found: dict[str, dict[str, Any]] = {}
    for lock in sorted((ROOT / "deploy").glob("*.lock")):
        if lock.stem == "build":
            continue
        for entry in re.split(r"\n(?=\S)", lock.read_text().strip()):
            name, version = entry.split()[0].split("==")
            found[name] = {
                "type": "library",
                "name": name,
                "version": version,
                "purl": f"pkg:pypi/{name}@{version}",
                "bom-ref": f"pkg:pypi/{name}@{version}",
                "hashes": [{"alg": "SHA-256", "content": digest} for digest in re.findall(r"sha256:(\w{64})", entry)],
            }
    return [found[name] for name in sorted(found)]


def bill(released: list[tuple[dict[str, Any], Path, Path]]) -> dict[str, Any]:
    """The bill of materials."""
    core = released[0][0]
    own = [
        {
            "type": "library",
            "name": facts["name"],
            "version": facts["version"],
            "description": facts["description"],
            "licenses": [{"license": {"id": facts["license"]}}],
            "purl": f"pkg:pypi/{facts['name']}@{facts['version']}",
            "bom-ref": f"pkg:pypi/{facts['name']}@{facts['version']}",
            "hashes": [
                {"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}
                for path in (archive, wheel)
            ],
        }
        for facts, archive, wheel in released
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": core["name"], "version": core["version"]}},
        "components": [*own, *dependencies()],
    }


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        fail(f"{folder} is not empty")
    released = []
    for project in PROJECTS:
        archive, wheel = build(project, folder)
        released.append((examine(project, archive, wheel), archive, wheel))
    versions = {facts["version"] for facts, _, _ in released}
    if len(versions) != 1:
        fail(f"the distributions have different versions: {sorted(versions)}")
    (folder / f"waxbill-{versions.pop()}.cdx.json").write_text(json.dumps(bill(released), indent=2) + "\n")
    for path in sorted(folder.iterdir()):
        print(f"{path.stat().st_size / 1000:8.1f} kB  {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
