"""Write what a release consists of as a CycloneDX document (software bill of materials).

    python packaging/sbom.py ENVIRONMENT OUTPUT.json

ENVIRONMENT is a virtual environment in which the project is installed with the extra `all`: each
package there is listed with version, licence and what it needs. What the project carries itself
is added. Needs cyclonedx-bom in the Python that runs this, and writes the same bytes for the same
environment.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parent.parent
LIB = ROOT / "nrm_plugin" / "viewer" / "page" / "lib"


def main(environment: str, output: str) -> None:
    """Write the document; end with a sentence if it is not valid."""
    project = "--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application"
    form = "--output-reproducible", "--spec-version", "1.6", "--of", "JSON", "-o", "-"
    command = [sys.executable, "-m", "cyclonedx_py", "environment", *project, *form, environment]
    document = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    about = document["metadata"]["component"]
    about["version"] = version()
    document["components"] += (own := carried())
    needed = next(one for one in document["dependencies"] if one["ref"] == about["bom-ref"])
    needed["dependsOn"] = sorted({*needed.get("dependsOn", []), *(c["bom-ref"] for c in own)})
    document["dependencies"] += [{"ref": one["bom-ref"]} for one in own]
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"sbom.py: the document is not valid: {fault}")
    Path(output).write_text(text, encoding="utf-8")


def version() -> str:
    """Version of the project."""
    source = (ROOT / "nrm_plugin" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)[1]


def carried() -> list[dict[str, Any]]:
    """Software of others that lies within the project."""
    script = (LIB / "uPlot.iife.min.js").read_text(encoding="utf-8")
    plotted = re.match(r"/\*! https://github\.com/leeoniya/uPlot \(v([\d.]+)\)", script)[1]
    return [
        {
            "bom-ref": f"uPlot=={plotted}",
            "description": "Plots of nrm view, carried in nrm_plugin/viewer/page/lib",
            "licenses": [{"license": {"id": "MIT"}}],
            "name": "uPlot",
            "purl": f"pkg:npm/uplot@{plotted}",
            "type": "library",
            "version": plotted,
        }
    ]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
