"""The bill of materials, as SPDX 2.3 (spdx.github.io/spdx-spec/v2.3)."""

import json
import re
import time

import manifest


def write(path, bundle, version, epoch, components):
    packages = [entry("flap", "flap", version, None, "Apache-2.0", "")]
    relations = [relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-flap")]
    files = []
    for component in components:
        identity = re.sub(r"[^A-Za-z0-9.-]", "-", component.name)
        packages.append(entry(
            identity, component.name, component.version, component.locator, component.licence, component.comment))
        # Of its own file, or part of the programs.
        kind = "DYNAMIC_LINK" if component.libraries else "STATIC_LINK"
        relations.append(relation("SPDXRef-flap", kind, f"SPDXRef-{identity}"))
        for library in component.libraries:
            reference = "SPDXRef-lib-" + re.sub(r"[^A-Za-z0-9.-]", "-", library)
            files.append({
                "SPDXID": reference,
                "fileName": f"./lib/{library}",
                "checksums": [{"algorithm": "SHA256", "checksumValue": manifest.digest(bundle / "lib" / library)}],
            })
            relations.append(relation(f"SPDXRef-{identity}", "CONTAINS", reference))
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": bundle.name,
        # Names this bundle and no other.
        "documentNamespace": f"https://spdx.org/spdxdocs/{bundle.name}-{manifest.digest(bundle / 'MANIFEST')}",
        "creationInfo": {
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch)),
            "creators": [f"Tool: flap-package-{version}"],
        },
        "packages": packages,
        "files": files,
        "relationships": relations,
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return path


def entry(identity, name, version, locator, licence, comment):
    package = {
        "SPDXID": f"SPDXRef-{identity}",
        "name": name,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": licence or "NOASSERTION",
        "copyrightText": "NOASSERTION",
    }
    if comment:
        package["licenseComments"] = comment
    if locator:
        package["externalRefs"] = [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": locator}
        ]
    return package


def relation(subject, kind, other):
    return {"spdxElementId": subject, "relationshipType": kind, "relatedSpdxElement": other}
