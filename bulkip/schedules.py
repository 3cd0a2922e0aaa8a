"""How a job is run every day: the texts that cron, systemd and GitHub Actions want, properly quoted."""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

KEEP = ("--keep", "30")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST_NAME = 60
_MINUTES_A_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Daily:
    """A job and when it runs; paths are absolute, `offsets` the distances of the zone from UTC, in minutes.

    `program` is how bulkip is started; `relative` is the job as it is named in
    its repository. `tokens` are where the secrets are kept, one for each account.
    """

    name: str
    hour: int
    minute: int
    zone: str
    offsets: tuple[int, ...]
    program: tuple[str, ...]
    job: str
    switches: tuple[str, ...]
    relative: str
    folder: str
    run_dir: str
    user: str
    home: str
    tokens: tuple[str, ...]

    @property
    def unit(self) -> str:
        """The name of units and credentials: letters that systemd takes as they are."""
        return "bulkip-" + (_UNSAFE.sub("-", self.name)[:_LONGEST_NAME].strip("-.") or "job")


def cron_lines(daily: Daily) -> Iterator[str]:
    """Yield a line for `crontab -e`; cron ends a command at a bare `%`, so each has a backslash."""
    command = shlex.join([*daily.program, "run", daily.job, *daily.switches, *KEEP])
    setting = f"BULKIP_RUN_DIR={shlex.quote(daily.run_dir)}"
    line = f"cd {shlex.quote(daily.folder)} && {setting} {command}".replace("%", r"\%")
    yield f"# {_told(daily.name)}, every night; paste this with `crontab -e`"
    yield f"# cron counts in the time zone of the machine; this time is meant in {daily.zone}"
    yield f"# {_secrets(daily.tokens)}; cron does not know the variables of your shell, but files"
    yield f"{daily.minute} {daily.hour} * * * {line}"


def systemd_lines(daily: Daily) -> Iterator[str]:
    """Yield a service and its timer; each begins with the path that it belongs to."""
    unit = daily.unit
    yield f"# /etc/systemd/system/{unit}.service"
    yield "[Unit]"
    yield f"Description=bulkip: {_specified(_told(daily.name))}"
    yield "Wants=network-online.target"
    yield "After=network-online.target"
    yield ""
    yield "[Service]"
    yield "Type=oneshot"
    yield f"User={daily.user}"
    yield f"WorkingDirectory={_specified(daily.folder)}"
    yield f"Environment={_word(f'BULKIP_RUN_DIR={daily.run_dir}', dollar='$')}"
    yield from _exec(daily)
    yield from _credential(daily)
    yield from _hardening(daily)
    yield ""
    yield f"# /etc/systemd/system/{unit}.timer"
    yield "[Unit]"
    yield f"Description=bulkip: {_specified(_told(daily.name))}, every night"
    yield ""
    yield "[Timer]"
    yield f"OnCalendar=*-*-* {daily.hour:02}:{daily.minute:02}:00 {daily.zone}"
    yield "Persistent=true"
    yield ""
    yield "[Install]"
    yield "WantedBy=timers.target"
    yield ""
    yield f"# systemctl daemon-reload && systemctl enable --now {unit}.timer"


def _credential(daily: Daily) -> Iterator[str]:
    """Yield how the secret gets to the service: as a credential, where the job already looks for one."""
    place = f"/run/credentials/{daily.unit}.service/"
    elsewhere = []
    for token in daily.tokens:
        name = token.removeprefix(f"file:{place}")
        if name != token and name and not _UNSAFE.search(name):
            yield f"LoadCredential={name}:/etc/bulkip/{name}"
        else:
            elsewhere.append(token)
    if not elsewhere:
        return
    yield f"# {_secrets(elsewhere)}; better a credential: in the job"
    yield f"#   api: {{token: file:{place}token}}"
    yield "# and here, with the token in a file that only root can read:"
    yield "#LoadCredential=token:/etc/bulkip/token"


def _secrets(tokens: Sequence[str]) -> str:
    return f"the secret{'s' if len(tokens) > 1 else ''}: {', '.join(map(_told, tokens))}"


def _exec(daily: Daily) -> Iterator[str]:
    program, *rest = daily.program
    words = [
        _word(program, dollar="$"),
        *(_word(word, dollar="$$") for word in (*rest, "run", daily.job, *daily.switches, *KEEP)),
    ]
    yield f"ExecStart={' '.join(words)}"


def _hardening(daily: Daily) -> Iterator[str]:
    """Yield what keeps the service away from all that it does not need; reports and runs it must write."""
    yield "TimeoutStopSec=60"
    yield "UMask=0077"
    yield "NoNewPrivileges=yes"
    yield "PrivateTmp=yes"
    yield "PrivateDevices=yes"
    yield "ProtectSystem=strict"
    yield "ProtectHome=read-only"
    yield "ProtectKernelTunables=yes"
    yield "ProtectControlGroups=yes"
    yield "RestrictSUIDSGID=yes"
    yield "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX"
    yield f"ReadWritePaths={_word(daily.folder, dollar='$')}"
    yield f"ReadWritePaths={_word('-' + daily.run_dir, dollar='$')}"
    yield f"ReadWritePaths={_word(f'-{daily.home}/.local/state', dollar='$')}"


def github_lines(daily: Daily) -> Iterator[str]:
    """Yield a workflow; its cron counts in UTC, so that in summer it may be an hour late, but never early."""
    utc, hours = _utc(daily), _local_times(daily)
    command = shlex.join(["bulkip", "run", daily.relative, *daily.switches])
    secrets = [one.removeprefix("env:") for one in daily.tokens if one.startswith("env:")] or [
        "HOSTKEY_TOKEN"
    ]
    yield f"# .github/workflows/{daily.unit}.yml"
    yield f"name: {_quoted(daily.unit)}"
    yield '"on":'
    yield "  schedule:"
    yield f"    # GitHub counts in UTC: this is {' or '.join(hours)} in {daily.zone}"
    yield f'    - cron: "{utc % 60} {utc // 60} * * *"'
    yield "  workflow_dispatch: {}"
    yield "permissions: {contents: read}"
    yield f"concurrency: {_quoted(daily.unit)}"
    yield "jobs:"
    yield "  bulkip:"
    yield "    runs-on: ubuntu-latest"
    yield "    steps:"
    yield "      - uses: actions/checkout@v4"
    yield "      - uses: actions/setup-python@v5"
    yield '        with: {python-version: "3.12"}'
    yield "      - run: pip install bulkip"
    yield f"      - run: {_quoted(command)}"
    yield "        env:"
    yield from (f'          {secret}: "${{{{ secrets.{secret} }}}}"' for secret in dict.fromkeys(secrets))


def _utc(daily: Daily) -> int:
    """Return the minute of the UTC day at which it is late enough in every season."""
    return (daily.hour * 60 + daily.minute - min(daily.offsets)) % _MINUTES_A_DAY


def _local_times(daily: Daily) -> list[str]:
    times = [(_utc(daily) + offset) % _MINUTES_A_DAY for offset in sorted(set(daily.offsets))]
    return [f"{time // 60:02}:{time % 60:02}" for time in times]


def _quoted(text: str) -> str:
    """Return a double-quoted scalar of YAML; its escapes are those of JSON, but for surrogates."""
    return json.dumps(text, ensure_ascii=False)


def _told(text: str) -> str:
    """Return a text that may stand in a comment."""
    return " ".join(text.split()).rstrip("\\ ")


def _specified(text: str) -> str:
    """Return a text in which systemd finds no specifier."""
    return text.replace("%", "%%")


def _word(text: str, *, dollar: str) -> str:
    """Return one word of a unit file; what `$` means depends on the setting."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", dollar)
    return f'"{_specified(escaped)}"'


FORMS: Mapping[str, Callable[[Daily], Iterator[str]]] = MappingProxyType(
    {"cron": cron_lines, "systemd": systemd_lines, "github": github_lines}
)
"""What writes the schedule, by the name of who will keep it."""
