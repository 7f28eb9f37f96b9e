import json

import aiohttp
from tests.tandem_engine.emulator.golden import golden_json, shape
from tests.tandem_engine.emulator.rig import Rig, profile, rig, settings, until

from tandem_engine.emulator.server import serving


async def test_models_are_listed_as_vllm_lists_them() -> None:
    async with rig() as engine:
        status, text = await engine.get("/v1/models")
    listed = json.loads(text)
    assert status == 200
    assert shape(listed) == shape(golden_json("models.json"))
    assert (listed["data"][0]["id"], listed["data"][0]["max_model_len"]) == ("tiny", 2048)


async def test_until_its_stages_are_through_an_engine_serves_nothing_and_says_which() -> None:
    stages = profile(cold_start_s=(("weights", 3.0), ("warm", 1.0)))
    told = settings(profile=stages, cold_start_s=0.4)
    async with serving(told) as emulator, aiohttp.ClientSession() as session:
        engine = Rig(emulator, session)
        early = await engine.get("/health")
        refused, _ = await engine.post("/v1/completions", {"prompt": [1]})
        unmeasured, _ = await engine.get("/metrics")
        await until(lambda: emulator.startup.stage == "warm")
        later = await engine.get("/health")
        await until(lambda: emulator.startup.is_ready)
        ready, _ = await engine.get("/health")
    assert (early[0], refused, unmeasured, later[0], ready) == (503, 503, 503, 503, 200)
    assert "weights" in early[1]
    assert "warm" in later[1]
