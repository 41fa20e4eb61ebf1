"""Citations as (Author, year), and the list of the sources that were cited."""

from pathlib import Path

from pybtex.database import BibliographyData, Entry, Person, parse_file
from pybtex.richtext import Text

PLACES = ("journal", "booktitle", "publisher", "school", "institution", "howpublished")


def _clean(latex: str) -> str:
    return str(Text.from_latex(latex))


def _surname(person: Person) -> str:
    return _clean(" ".join([*person.prelast_names, *person.last_names]))


def _full_name(person: Person) -> str:
    initials = [f"{_clean(name)[0]}." for name in [*person.first_names, *person.middle_names]]
    return " ".join([*initials, _surname(person)])


def _joined(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


class Bibliography:
    """The entries of ``references.bib``, and which of them one notebook has cited."""

    def __init__(self, path: Path):
        self.entries = parse_file(str(path)).entries if path.exists() else BibliographyData().entries
        self.cited: list[str] = []

    def cite(self, keys: list[str], in_text: bool) -> str:
        """What a citation reads as: ``(Robert, 2019; ...)``, or ``Robert (2019)`` in the text.

        Raises:
            KeyError: the key that ``references.bib`` lacks.
        """
        parts = []
        for key in keys:
            entry = self.entries[key]
            self.cited += [key] if key not in self.cited else []
            names = [_surname(person) for person in entry.persons["author"]]
            who = f"{names[0]} et al." if len(names) > 2 else _joined(names)
            year = entry.fields["year"]
            parts.append(f"{who} ({year})" if in_text else f"{who}, {year}")
        return _joined(parts) if in_text else f"({'; '.join(parts)})"

    def listing(self) -> str:
        """The cited sources as a Markdown list, by author and year."""
        entries = [self.entries[key] for key in self.cited]
        entries.sort(key=lambda entry: (_surname(entry.persons["author"][0]), entry.fields["year"]))
        return "\n".join(f"- {self._line(entry)}" for entry in entries)

    def _line(self, entry: Entry) -> str:
        fields = {key: _clean(value) for key, value in entry.fields.items() if key not in ("url", "doi")}
        who = _joined([_full_name(person) for person in entry.persons["author"]])
        where = [fields[key] for key in PLACES if key in fields]
        if "eprint" in fields:
            where.append(f"arXiv:{fields['eprint']}")
        link = entry.fields.get("url") or (
            f"https://doi.org/{entry.fields['doi']}" if "doi" in entry.fields else ""
        )
        parts = [f"{who} ({fields['year']}).", f"*{fields['title']}*.", *(f"{text}." for text in where)]
        return " ".join([*parts, f"<{link}>"] if link else parts)
