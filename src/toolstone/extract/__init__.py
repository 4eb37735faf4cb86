"""One schema over many documents: validated records, with evidence, as they finish."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolstone.extract.files.read import read_documents as read_documents
    from toolstone.extract.job import Job as Job
    from toolstone.extract.many import extract_many as extract_many
    from toolstone.extract.many import extract_many_sync as extract_many_sync
    from toolstone.extract.pace import Pace as Pace
    from toolstone.extract.plan import Plan as Plan
    from toolstone.extract.records import Document as Document
    from toolstone.extract.records import Evidence as Evidence
    from toolstone.extract.records import Failure as Failure
    from toolstone.extract.records import Record as Record
    from toolstone.extract.splitting import Split as Split

_HOME_OF = {
    "Document": "records",
    "Evidence": "records",
    "Failure": "records",
    "Job": "job",
    "Pace": "pace",
    "Plan": "plan",
    "Record": "records",
    "Split": "splitting",
    "extract_many": "many",
    "extract_many_sync": "many",
    "read_documents": "files.read",
}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605  the names above, each once


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'toolstone.extract' has no attribute {name!r}")
    value = getattr(import_module(f"toolstone.extract.{home}"), name)
    globals()[name] = value
    return value
