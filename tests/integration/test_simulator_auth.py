"""How the simulated provider hands out tokens, lets them die, and words its refusals."""

import json
from collections.abc import Iterator, Mapping
from itertools import chain, repeat
from typing import Any

import aiohttp
import pytest

from bulkip.errors import UsageError
from bulkip.simulator import Dialect, Fault, Seed, Simulator, SimulatorSettings, TokenEnd

pytestmark = pytest.mark.anyio

IP = "203.0.113.7"
SEEDS = (Seed(IP, 4711, "NL", ptr="old.example.net"), Seed("203.0.113.8", 4712, "NL"))
NOON = 1716206400.5
EXPIRED = {"code": -1, "message": "session token expired"}
INVALID = {"code": -1, "message": "invalid token"}


async def ask(api: Simulator, script: str, action: str, **form: str) -> Any:
    """Return what a script answers to one call."""
    url = api.url.replace("ip.php", script)
    async with aiohttp.ClientSession() as session, session.post(url, data={"action": action, **form}) as sent:
        return json.loads(await sent.read())


async def login(api: Simulator, **form: str) -> Mapping[str, Any]:
    """Return what a login with the default key brings."""
    answer = await ask(api, "auth.php", "login", **{"key": "simulated-key", **form})
    result: Mapping[str, Any] = answer["result"]
    return result


def clock(*times: float) -> Iterator[float]:
    """Return the times of the first calls; after them the last one stays."""
    return chain(times, repeat(times[-1]))


async def test_login_gives_a_token_that_works() -> None:
    """A login nests the token and its fields under `result`, as the live API does."""
    async with Simulator(SEEDS, wall=lambda: NOON) as api:
        answer = await ask(api, "auth.php", "login", key="simulated-key", ttl="600", fix_ip="0")
        read = await ask(api, "ip.php", "get_ptr", token=answer["result"]["token"], ip=IP, id="4711")

    assert answer["result"] == {
        "token": answer["result"]["token"],
        "role": "Customer",
        "role_type": "Customer",
        "role_name": "customer_billing",
        "permissions": answer["result"]["permissions"],
        "servers": [4711, 4712],
        "email": "customer@example.net",
        "customer_id": 1,
        "token_expire": 1716207000,
        "verified": True,
        "default_lang": "en",
    }
    assert read == {"result": "OK", "message": "old.example.net"}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param("", "api key is empty", id="empty"),
        pytest.param("another-key", "invalid api key", id="unknown"),
        pytest.param("k y", "incorrect api key format", id="no key at all"),
    ],
)
async def test_wrong_key_is_refused(key: str, message: str) -> None:
    """A key that is not the account's brings no token."""
    async with Simulator(SEEDS) as api:
        answer = await ask(api, "auth.php", "login", key=key)

        assert answer == {"code": -1, "message": message}
        assert api.log.logins == 0


@pytest.mark.parametrize(
    ("ttl", "life_s"),
    [
        pytest.param("60", 60, id="as asked for"),
        pytest.param("7200", 3600, id="no longer than allowed"),
        pytest.param("", 3600, id="not said"),
        pytest.param("-1", 3600, id="nonsense"),
    ],
)
async def test_life_of_a_token_is_at_most_what_is_allowed(ttl: str, life_s: int) -> None:
    """`ttl` shortens the life of a token and cannot lengthen it."""
    async with Simulator(SEEDS, wall=lambda: NOON) as api:
        result = await login(api, ttl=ttl)

    assert result["token_expire"] == int(NOON) + life_s


async def test_token_expires_on_the_simulators_clock() -> None:
    """A token works until its life is over, and is refused as expired from then on."""
    times = clock(0.0, 9.9, 10.0)
    async with Simulator(SEEDS, SimulatorSettings(token_life_s=10), clock=lambda: next(times)) as api:
        token = (await login(api))["token"]
        answers = [await ask(api, "ip.php", "get_ip", token=token, ip=IP) for _ in range(2)]

    assert answers[0]["result"] == "OK"
    assert answers[1] == EXPIRED


async def test_token_is_used_up_by_calls_and_not_by_questions() -> None:
    """`token_uses` counts calls to ip.php and eq.php; auth/info costs none."""
    async with Simulator(SEEDS, SimulatorSettings(token_uses=2)) as api:
        token = (await login(api))["token"]
        calls = [("auth.php", "info"), ("ip.php", "get_client_ip"), ("eq.php", "list"), ("auth.php", "info")]
        answers = [await ask(api, *call, token=token) for call in calls]

    assert answers[0]["result"]["token"] == token
    assert [answers[1], answers[2]["result"]] == [{"ip": "127.0.0.1"}, "OK"]
    assert answers[3] == EXPIRED


async def test_ready_token_outlives_the_limits_of_the_others() -> None:
    """Life and uses hold for tokens from logins only."""
    times = clock(0.0, 100.0)
    settings = SimulatorSettings(token_life_s=1, token_uses=1)
    async with Simulator(SEEDS, settings, clock=lambda: next(times)) as api:
        answers = [await ask(api, "ip.php", "get_client_ip", token=api.token) for _ in range(3)]

    assert answers == [{"ip": "127.0.0.1"}] * 3


@pytest.mark.parametrize(
    ("token", "answer"),
    [
        pytest.param("", {"code": -1, "message": "authentication required"}, id="none"),
        pytest.param("0123456789abcdef0123456789abcdef", INVALID, id="unknown"),
    ],
)
@pytest.mark.parametrize("call", [("auth.php", "info"), ("auth.php", "logout"), ("eq.php", "list")])
async def test_call_without_a_live_token_is_refused(
    token: str, answer: object, call: tuple[str, str]
) -> None:
    """Every script that asks for a token refuses one that it does not know."""
    async with Simulator(SEEDS) as api:
        assert await ask(api, *call, token=token) == answer


async def test_logout_ends_one_token_only() -> None:
    """A token that was given back is unknown, and the others live on."""
    async with Simulator(SEEDS) as api:
        first, second = [(await login(api))["token"] for _ in range(2)]
        given_back = await ask(api, "auth.php", "logout", token=first)
        answers = [await ask(api, "ip.php", "get_client_ip", token=token) for token in (first, second)]

    assert given_back == {"result": "OK"}
    assert answers == [INVALID, {"ip": "127.0.0.1"}]


async def test_bound_token_is_refused_from_another_address() -> None:
    """`fix_ip=1` binds a token to the address that logged in."""
    async with Simulator(SEEDS) as api:
        token = (await login(api, fix_ip="1"))["token"]
        form = {"action": "get_client_ip", "token": token}
        connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post(api.url, data=form) as sent,
        ):
            elsewhere = json.loads(await sent.read())
        here = await ask(api, "ip.php", "get_client_ip", token=token)

    assert elsewhere == {"code": -2, "message": "Invalid hash"}
    assert here == {"ip": "127.0.0.1"}


@pytest.mark.parametrize(
    ("end", "answer"),
    [
        pytest.param(TokenEnd.EXPIRED, EXPIRED, id="expired"),
        pytest.param(TokenEnd.INVALID, INVALID, id="invalid"),
        pytest.param(TokenEnd.HASH, {"code": -2, "message": "Invalid hash"}, id="hash"),
    ],
)
async def test_token_fault_is_for_good(end: TokenEnd, answer: object) -> None:
    """A token that a fault ends stays dead, and the write it came with is not carried out."""
    faults = (Fault(action="update_ptr", times=1, token=end),)
    async with Simulator(SEEDS, SimulatorSettings(faults=faults)) as api:
        form = {"token": api.token, "ip": IP, "id": "4711", "ptr": "new.example.net"}
        answers = [await ask(api, "ip.php", "update_ptr", **form) for _ in range(2)]

        assert answers == [answer, answer]
        assert api.state.writes() == []
        assert [(entry.fault, entry.login) for entry in api.log.entries()] == [(f"token {end}", 0), (None, 0)]


async def test_log_tells_which_login_a_call_belongs_to() -> None:
    """Each call carries the number of its login and key, and no secret stands in the log."""
    settings = SimulatorSettings(keys=("first-key", "second-key"))
    async with Simulator(SEEDS, settings) as api:
        token = (await login(api, key="second-key"))["token"]
        await login(api, key="first-key")
        await ask(api, "auth.php", "login", key="wrong-key", token=token)
        await ask(api, "ip.php", "get_client_ip", token=token)
        await ask(api, "ip.php", "get_client_ip", token="unknown")
        lines = [entry.line() for entry in api.log.entries()]

        assert [(line["login"], line["key"]) for line in map(json.loads, lines)] == [
            *((1, 2), (2, 1), (None, None), (1, 2), (None, None))
        ]
        assert api.log.logins == 2
        assert not any(secret in "".join(lines) for secret in (token, "-key"))


@pytest.mark.parametrize(
    ("dialects", "call", "answer"),
    [
        pytest.param(
            {Dialect.MINUS}, {"token": "x"}, {"result": -1, "error": "invalid token"}, id="minus, a refusal"
        ),
        pytest.param(
            {Dialect.FAIL},
            {"token": "x"},
            {"result": "Fail", "message": "invalid token"},
            id="fail, a refusal",
        ),
        pytest.param({Dialect.BARE}, {"token": "x"}, {"result": "error"}, id="bare, a refusal"),
        pytest.param(
            {Dialect.DESCRIPTION},
            {"token": "x"},
            {"code": -1, "message": "invalid token", "description": "invalid token"},
            id="description, a refusal",
        ),
        pytest.param(
            {Dialect.TEXT_IDS},
            {"token": "x"},
            {"code": "-1", "message": "invalid token"},
            id="text-ids, a refusal",
        ),
        pytest.param(
            {Dialect.NESTED}, {}, {"result": "OK", "data": {"ip": "127.0.0.1"}}, id="nested, get_client_ip"
        ),
        pytest.param(
            {Dialect.MINUS},
            {"action": "get_ptr", "ip": IP, "id": "1"},
            {"result": -1, "error": "(module/)action: invalid request"},
            id="minus, the bad escapes",
        ),
        pytest.param(
            {Dialect.SUCCESS, Dialect.MINUS},
            {"action": "get_ptr", "ip": IP, "id": "4711"},
            {"result": "success", "message": "old.example.net"},
            id="success, get_ptr",
        ),
        pytest.param({Dialect.PAGE}, {}, {"ip": "127.0.0.1"}, id="page"),
    ],
)
async def test_dialect_words_an_answer_its_own_way(
    dialects: set[Dialect], call: Mapping[str, str], answer: object
) -> None:
    """A dialect changes the envelope of an answer, not what is meant."""
    async with Simulator(SEEDS, SimulatorSettings(dialects=frozenset(dialects))) as api:
        form = {"action": "get_client_ip", "token": api.token, **call}

        assert await ask(api, "ip.php", form.pop("action"), **form) == answer


async def test_flat_login_keeps_its_numbers_in_text_ids() -> None:
    """`flat` takes the `result` around a login away; `text-ids` leaves token_expire a number."""
    dialects = frozenset({Dialect.FLAT, Dialect.TEXT_IDS})
    async with Simulator(SEEDS, SimulatorSettings(dialects=dialects), wall=lambda: NOON) as api:
        answer = await ask(api, "auth.php", "login", key="simulated-key")

    assert (answer["servers"], answer["token_expire"]) == (["4711", "4712"], int(NOON) + 3600)
    assert (answer["verified"], "result" in answer) == (True, False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"token": ""}, "is empty", id="no token"),
        pytest.param({"keys": ("",)}, "is empty", id="no key"),
        pytest.param({"token_life_s": 0}, "--token-life", id="no life"),
        pytest.param({"token_uses": 0}, "--token-uses", id="no use"),
        pytest.param(
            {"dialects": {Dialect.MINUS, Dialect.BARE}}, "minus and bare .* keep one", id="two ways to refuse"
        ),
    ],
)
def test_senseless_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    """A simulator that no client could use is refused with the option's name."""
    with pytest.raises(UsageError, match=message):
        SimulatorSettings(**settings)
