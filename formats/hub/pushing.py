"""Pushes files to the hub: in commits of some files, so that an interrupted push goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from metalens.formats.files.errors import InputError
from metalens.formats.files.interruption import stop_if_interrupted
from metalens.formats.hub.address import HubAddress
from metalens.formats.hub.content import Content, belongs
from metalens.formats.hub.listing import (
    HubListing,
    HubUnreachable,
    RepositoryKind,
    hub_api,
    hub_errors,
    list_revision,
)

COMMIT = 16
"""Files of one commit. What was sent of an interrupted one is not sent again either: the hub keeps content."""


@dataclass(frozen=True)
class PushPlan:
    """What a push sends.

    Attributes:
        address: of the repository, on its main branch.
        kind: of the repository.
        exists: whether there is such a repository already.
        files: name → file on the disk, of those that are not in the repository yet, in the order of sending.
        unchanged: files that are in the repository already.
        stale: files of an earlier push in the repository that belong no longer to it; they are removed.
    """

    address: HubAddress
    kind: RepositoryKind
    exists: bool
    files: Mapping[str, Path]
    unchanged: int
    stale: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes that are sent."""
        return sum(path.stat().st_size for path in self.files.values())


def plan_push(address: HubAddress, content: Content, files: Mapping[str, Path], last: Collection[str] = ()) -> PushPlan:
    """Compare files with a repository.

    Args:
        address: of the repository.
        content: pairs or an adapter.
        files: name in the repository → file on the disk.
        last: names of files that are sent after all others: without them the others are no whole set.

    Returns:
        The plan.

    Raises:
        InputError: the address names a revision, or the hub does not answer.
    """
    if address.revision != "main":
        raise InputError(f"{address}: a push makes a new revision; leave @{address.revision} out.")
    kind: RepositoryKind = "dataset" if content == "pairs" else "model"
    listing = _listing(address, kind)
    present = {} if listing is None else listing.files
    changed = {name: path for name, path in files.items() if name not in present or not present[name].is_whole(path)}
    ordered = sorted(changed, key=lambda name: (name in last, name))
    stale = sorted(name for name in present if name not in files and belongs(content, name))
    return PushPlan(
        address,
        kind,
        listing is not None,
        {name: changed[name] for name in ordered},
        len(files) - len(changed),
        tuple(stale),
    )


def push(
    plan: PushPlan,
    *,
    public: bool,
    message: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> HubAddress:
    """Send the files of a plan.

    Args:
        plan: of :func:`plan_push`.
        public: whether everyone may see the repository, if it is made now.
        message: of the commits.
        progress: called with bytes sent and bytes in all, after each commit.

    Returns:
        The address with the hash of the new revision, or of the present one if there was nothing to send.

    Raises:
        InputError: the hub does not answer, or does not allow it.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    api, repository = hub_api(), plan.address.repository
    names, done = list(plan.files), 0
    if not plan.exists:
        with hub_errors(str(plan.address), plan.kind):
            api.create_repo(repository, repo_type=plan.kind, private=not public, exist_ok=True)
    for first in range(0, len(names), COMMIT):
        stop_if_interrupted()
        batch = names[first : first + COMMIT]
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationAdd(name, plan.files[name]) for name in batch
        ]
        if batch[-1] == names[-1]:
            operations += [CommitOperationDelete(name) for name in plan.stale]
        with hub_errors(str(plan.address), plan.kind):
            api.create_commit(repository, operations, commit_message=message, repo_type=plan.kind)
        done += sum(plan.files[name].stat().st_size for name in batch)
        progress(done, plan.size)
    return list_revision(plan.address, plan.kind).address


def _listing(address: HubAddress, kind: RepositoryKind) -> HubListing | None:
    """The files of the repository; None if there is none."""
    from huggingface_hub import errors

    try:
        return list_revision(address, kind)
    except HubUnreachable:
        raise
    except InputError as error:
        if isinstance(error.__cause__, errors.RepositoryNotFoundError | errors.RevisionNotFoundError):
            return None
        raise
