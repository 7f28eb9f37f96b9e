import asyncio

from tests.tandem_engine.emulator import virtual_time

from tandem_engine.emulator.lease import Leases


def test_kv_that_nobody_pulls_is_freed_when_its_lease_ends() -> None:
    async def scenario() -> None:
        freed: list[str] = []
        leases = Leases(30, freed.append)
        leases.begin("a")
        await asyncio.sleep(29.9)
        assert (freed, len(leases)) == ([], 1)
        await asyncio.sleep(0.2)
        assert (freed, len(leases), leases.expired) == (["a"], 0, 1)

    virtual_time.run(scenario())


def test_a_heartbeat_extends_a_lease_by_two_thirds_of_it_and_never_shortens_it() -> None:
    async def scenario() -> None:
        freed: list[str] = []
        leases = Leases(30, freed.append)
        leases.begin("a")
        await asyncio.sleep(5)
        assert leases.hold("a")  # 25 s are left, more than 20
        await asyncio.sleep(20)
        assert leases.hold("a")  # at 25: until 45
        await asyncio.sleep(19.9)
        assert freed == []
        await asyncio.sleep(0.2)
        assert (freed, leases.expired) == (["a"], 1)

    virtual_time.run(scenario())


def test_pulled_kv_is_freed_at_once_and_never_expires() -> None:
    async def scenario() -> None:
        freed: list[str] = []
        leases = Leases(6, freed.append)
        leases.begin("a")
        assert leases.release("a")
        await asyncio.sleep(60)
        assert (freed, leases.expired, leases.late_releases) == (["a"], 0, 0)

    virtual_time.run(scenario())


def test_a_notice_about_kv_that_is_gone_is_counted_and_frees_nothing() -> None:
    async def scenario() -> None:
        freed: list[str] = []
        leases = Leases(6, freed.append)
        leases.begin("a")
        await asyncio.sleep(7)
        assert not leases.hold("a")
        assert not leases.release("a")
        assert (freed, leases.late_releases) == (["a"], 1)

    virtual_time.run(scenario())


def test_an_engine_that_ends_frees_all_and_counts_none_expired() -> None:
    async def scenario() -> None:
        freed: list[str] = []
        leases = Leases(6, freed.append)
        leases.begin("a")
        leases.begin("b")
        leases.drop_all()
        await asyncio.sleep(60)
        assert (freed, leases.expired, len(leases)) == (["a", "b"], 0, 0)

    virtual_time.run(scenario())
