"""How a proof is told to a person: by whom it was made, and what each server said."""

import json
from collections.abc import Iterator, Mapping

from bulkip.model import JsonValue
from bulkip.reports.rows import iso
from bulkip.store import StoredRow


def proof_fields(row: StoredRow) -> dict[str, JsonValue] | None:
    """Return the proof of an item as programs read it; None when nobody looked."""
    if row["proof_mode"] is None:
        return None
    return {
        "mode": row["proof_mode"],
        "holds": bool(row["verified"]),
        "decided": bool(row["proof_decided"]),
        "reason": row["proof_reason"],
        "proved_at": iso(row["proved_at"]),
        "findings": json.loads(row["findings"]),
    }


def proof_lines(proof: Mapping[str, JsonValue]) -> Iterator[str]:
    """Yield how a proof ended and when, and then what each server said."""
    verdict = "nobody answered" if not proof["decided"] else "holds" if proof["holds"] else "does not hold"
    yield f"{proof['mode']}, {verdict} ({proof['proved_at']})"
    findings = proof["findings"]
    for finding in findings if isinstance(findings, list) else []:
        if isinstance(finding, dict):
            about = f" about {finding['name']}" if "name" in finding else ""
            yield f"{finding['server']}{about}: {_said(finding)}"


def _said(finding: Mapping[str, JsonValue]) -> str:
    if "trouble" in finding:
        return str(finding["trouble"])
    shown = finding.get("addresses", finding.get("names"))
    told = ", ".join(map(str, shown)) if isinstance(shown, list) else ""
    more = f" and {finding['more']} more" if "more" in finding else ""
    note = f" ({finding['note']})" if "note" in finding else ""
    return f"{told or 'nothing'}{more}{note}"
