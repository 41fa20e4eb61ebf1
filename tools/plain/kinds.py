"""Which directives there are in a chapter, and what kind of thing each of them is."""

ADMONITIONS = {
    "admonition": "",
    "attention": "Attention",
    "caution": "Caution",
    "danger": "Danger",
    "hint": "Hint",
    "important": "Important",
    "note": "Note",
    "seealso": "See also",
    "tip": "Tip",
    "warning": "Warning",
}

PROOFS = {
    f"prf:{kind}": kind.capitalize()
    for kind in (
        "algorithm",
        "assumption",
        "axiom",
        "conjecture",
        "corollary",
        "criterion",
        "definition",
        "example",
        "lemma",
        "observation",
        "property",
        "proposition",
        "remark",
        "theorem",
    )
}

UNNUMBERED_PROOF = "prf:proof"

FIGURES = {"figure", "glue:figure"}
TABLES = {"table", "list-table"}

# Directives whose lines are Markdown, in which there may be further directives and numbered things.
CONTAINERS = {
    *ADMONITIONS,
    *PROOFS,
    *FIGURES,
    *TABLES,
    UNNUMBERED_PROOF,
    "dropdown",
    "exercise",
    "margin",
    "solution",
}
