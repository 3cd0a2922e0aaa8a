"""How hooks and notices are read from a job file, and kept with a run; their addresses are secrets.

As in `fields`, a function here raises ValueError with the way out, and shows no address.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator

from bulkip.alerts import COMMAND_TIMEOUT_S, URL_TIMEOUT_S, Hook, Hooks, Moment, Notice, Target, WrittenUrl
from bulkip.notices import is_installed
from bulkip.policy import SecretRef, SecretSource
from bulkip.quantities import parse_duration_s
from bulkip.settings.fields import did_you_mean, text
from bulkip.settings.origins import parse_secret, parse_url

_MOST_HOOKS: Final = 20
_LONGEST_S: Final = 600.0
_MOST_WORDS: Final = 100
_REFERENCES: Final = tuple(f"{source}:" for source in SecretSource)
_ADDRESS: Final = "must be an https URL (plain http for this machine only), env:NAME or file:PATH"


def origin_of(url: str) -> str:
    """Return scheme and host of a hook's URL, which may be shown; raises ValueError when it is none."""
    try:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        parse_url(origin)
    except ValueError:
        raise ValueError(_ADDRESS) from None
    if not url.isascii() or not url.isprintable() or set(url) & set(" #\\"):
        raise ValueError(f"{_ADDRESS}; it holds blanks, `#` or letters that no URL has")
    return origin


def _hooks(node: Any) -> tuple[Hook, ...]:
    entries = node if isinstance(node, list) else [node]
    if len(entries) > _MOST_HOOKS:
        raise ValueError(f"has {len(entries)} entries; at most {_MOST_HOOKS}")
    return tuple(_hook(entry) for entry in entries)


def _hook(node: Any) -> Hook:
    if not isinstance(node, dict):
        return Hook(_address(node), URL_TIMEOUT_S)
    _refuse_unknown(node, ["url", "command", "timeout", "required"])
    if ("url" in node) == ("command" in node):
        raise ValueError("needs either `url` or `command`")
    target: Target = _address(node["url"]) if "url" in node else _command(node["command"])
    default = URL_TIMEOUT_S if "url" in node else COMMAND_TIMEOUT_S
    required = node.get("required", False)
    if required is not True and required is not False:
        raise ValueError("`required` is neither `true` nor `false`")
    return Hook(target, _timeout_s(node.get("timeout"), default), required)


def _refuse_unknown(node: dict[str, Any], known: list[str]) -> None:
    for key in node:
        if key not in known:
            raise ValueError(f"unknown key `{key[:40]}`; {did_you_mean(key, known)}")


def _timeout_s(node: Any, default: float) -> float:
    seconds = default if node is None else parse_duration_s(text(node))
    if not 0 < seconds <= _LONGEST_S:
        raise ValueError("`timeout` must be longer than 0 and at most 10m")
    return seconds


def _address(node: Any) -> SecretRef | WrittenUrl:
    value = text(node)
    if value.startswith(_REFERENCES):
        return parse_secret(value)
    return WrittenUrl(value, origin_of(value))


def _command(node: Any) -> tuple[str, ...]:
    if not isinstance(node, list) or not node:
        raise ValueError(
            '`command` must be a list like [/usr/local/bin/alert, "--job", nightly]; no shell reads it'
        )
    words = tuple(text(word) for word in node)
    if not words[0].strip() or len(words) > _MOST_WORDS:
        raise ValueError("`command` needs a program, and at most 100 words")
    return words


def _notices(node: Any) -> tuple[Notice, ...]:
    entries = node if isinstance(node, list) else [node]
    if entries and not is_installed():
        raise ValueError("needs a package that is not installed; pip install 'bulkip[notify]'")
    if len(entries) > _MOST_HOOKS:
        raise ValueError(f"has {len(entries)} entries; at most {_MOST_HOOKS}")
    return tuple(_notice(entry) for entry in entries)


def _notice(node: Any) -> Notice:
    if not isinstance(node, dict):
        return Notice(parse_secret(text(node)))
    _refuse_unknown(node, ["url", "on"])
    if "url" not in node:
        raise ValueError("needs `url`: env:NAME or file:PATH")
    return Notice(parse_secret(text(node["url"])), tuple(_moments(node.get("on", Moment.FAILURE))))


def _moments(node: Any) -> Iterator[Moment]:
    known = [moment.value for moment in Moment]
    entries = node if isinstance(node, list) else [node]
    if not entries:
        raise ValueError(f"`on` names no moment; known: {', '.join(known)}")
    for entry in dict.fromkeys(text(one) for one in entries):
        if entry not in known:
            raise ValueError(f"`on`: `{entry[:40]}` is not known here; {did_you_mean(entry, known)}")
        yield Moment(entry)


HookList = Annotated[tuple[Hook, ...], BeforeValidator(_hooks)]
NoticeList = Annotated[tuple[Notice, ...], BeforeValidator(_notices)]


def located(hooks: Hooks, folder: Path) -> Hooks:
    """Return hooks whose files and programs are found from the job file's folder."""
    return _each(hooks, lambda hook: replace(hook, target=_located(hook.target, folder)))


def kept(hooks: Hooks) -> Hooks:
    """Return hooks as a run store may hold them: from any folder, and without the URLs themselves."""
    return _each(located(hooks, Path.cwd()), lambda hook: replace(hook, target=_without_url(hook.target)))


def located_secret(ref: SecretRef, folder: Path) -> SecretRef:
    """Return a reference whose file is relative to a folder."""
    return ref if ref.source is SecretSource.ENV else SecretRef(ref.source, str(folder / ref.name))


def _each(hooks: Hooks, change: Any) -> Hooks:
    return Hooks(**{moment.value: tuple(change(hook) for hook in hooks.at(moment)) for moment in Moment})


def _located(target: Target, folder: Path) -> Target:
    match target:
        case SecretRef():
            return located_secret(target, folder)
        case (program, *words) if "/" in program:
            return (str((folder / program).absolute()), *words)  # `alert` alone would be sought on PATH
        case _:
            return target


def _without_url(target: Target) -> Target:
    return WrittenUrl("", target.origin) if isinstance(target, WrittenUrl) else target
