"""A second operator on a live engine: what it sends, when, and what it does of a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import docker
import msgspec
import pytest
import requests

from stamplab.lab.errors import LabError
from stamplab.lab.faults.operator import (
    Act,
    LoseSight,
    Operation,
    Recreate,
    Redeploy,
    Remove,
    RollBack,
    Scale,
    SetLimit,
    edited,
    operator_record,
)
from stamplab.lab.live.recorders.operator import OperatorRecorder, operate
from stamplab.lab.model.history import LimitSet, Record, RecorderLost
from stamplab.lab.model.history_file import HistoryWriter, read_history
from stamplab.lab.virtual.recorder import spec_in
from tests.unit.lab.golden import swarm_json

NAME = "shop_web"
SERVICE = swarm_json("updating")
ID = "w3ch2p4o7ixkhngawifx1xqfp"
SPEC = spec_in(msgspec.Raw(SERVICE))


class Answer:
    """An engine's, to one request."""

    def __init__(self, status_code: int = 200, text: str = "") -> None:
        self.status_code = status_code
        self.text = text
        self.content = text.encode()


class Api:
    """An engine with one service, which answers updates as it is told."""

    base_url = "http+docker://localhost"
    api_version = "1.41"

    def __init__(self, answer: Answer | Exception | None = None, *, is_there: bool = True) -> None:
        self.asked: list[tuple[str, str, bytes]] = []
        self._answer = answer or Answer()
        self._service = Answer(200, SERVICE.decode()) if is_there else Answer(404, "not found")

    @property
    def as_api(self) -> docker.APIClient:
        return cast(docker.APIClient, self)

    def get(self, url: str, params: object) -> Answer:
        assert params is None
        assert url == f"{self.base_url}/v1.41/services/{NAME}"
        return self._service

    def post(self, url: str, data: bytes, headers: dict[str, str]) -> Answer:
        assert headers == {"Content-Type": "application/json"}
        return self._ask("POST", url, data)

    def delete(self, url: str) -> Answer:
        return self._ask("DELETE", url)

    def _ask(self, verb: str, url: str, data: bytes = b"") -> Answer:
        prefix = f"{self.base_url}/v1.41/services/"
        assert url.startswith(prefix)
        self.asked.append((verb, url.removeprefix(prefix), data))
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize("operation", [Redeploy(), Scale(replicas=3), RollBack()])
def test_it_updates_the_present_version_by_the_services_id(operation: Operation) -> None:
    api = Api()
    assert operate(api.as_api, NAME, operation) == ""
    rollback = "&rollback=previous" if isinstance(operation, RollBack) else ""
    path = f"{ID}/update?version=28{rollback}"
    assert api.asked == [("POST", path, edited(SPEC, operation))]


def test_it_removes_a_service_and_creates_it_anew() -> None:
    removed, recreated = Api(Answer(200)), Api(Answer(201))
    assert operate(removed.as_api, NAME, Remove()) == ""
    assert operate(recreated.as_api, NAME, Recreate()) == ""
    assert removed.asked == [("DELETE", ID, b"")]
    assert recreated.asked == [("DELETE", ID, b""), ("POST", "create", SPEC)]


def test_a_refusal_is_the_engines_words() -> None:
    api = Api(Answer(400, "rpc error: service does not have a previous spec\n"))
    refused = operate(api.as_api, NAME, RollBack())
    assert refused == "rpc error: service does not have a previous spec"


def test_what_is_not_there_cannot_be_operated_upon() -> None:
    api = Api(is_there=False)
    assert operate(api.as_api, NAME, Redeploy()) == f"there is no service {NAME}"
    assert api.asked == []


def test_an_engine_that_does_not_answer_is_a_failure_of_the_apparatus() -> None:
    api = Api(requests.ConnectionError("gone"))
    with pytest.raises(LabError, match=f"does not answer about {NAME}: gone"):
        operate(api.as_api, NAME, Redeploy())


# As a recorder.


def operator(history: HistoryWriter, api: Api, acts: Sequence[Act]) -> OperatorRecorder:
    """One whose clock stands still, so that what is due is due at once, and nothing else ever."""

    def set_limit(limit_bytes: int | None, reason: str) -> None:
        history.append("lab", LimitSet(limit_bytes=limit_bytes, usage_bytes=0, reason=reason))

    return OperatorRecorder(api.as_api, history, set_limit, lambda: 0.0, NAME, acts)


def taken(history: HistoryWriter, count: int) -> list[Record]:
    records = [history.take(20) for _ in range(count)]
    return [record for record in records if record is not None]


def test_acts_are_done_in_order_of_their_times_and_each_is_told(history: HistoryWriter) -> None:
    acts = [
        Act(after_s=0.01, what=Scale(replicas=2)),
        Act(after_s=0.0, what=SetLimit(limit_bytes=5, reason="less")),
        Act(after_s=0.01, what=RollBack()),
    ]
    doing = operator(history, Api(Answer(500, "no\n")), acts)
    doing.start()
    recorded = [record.what for record in taken(history, 3)]
    doing.stop()
    assert recorded == [
        LimitSet(limit_bytes=5, usage_bytes=0, reason="less"),
        operator_record(Scale(replicas=2), "no"),
        operator_record(RollBack(), "no"),
    ]


def test_lost_sight_is_told_and_the_engine_is_asked_nothing(history: HistoryWriter) -> None:
    api = Api()
    doing = operator(history, api, [Act(after_s=0, what=LoseSight())])
    doing.start()
    (record,) = taken(history, 1)
    doing.stop()
    assert record.what == RecorderLost(recorder="nemesis", reason="sight is lost of the swarm")
    assert api.asked == []


def test_one_that_is_stopped_does_nothing_more(history: HistoryWriter) -> None:
    api = Api()
    doing = operator(history, api, [Act(after_s=3600, what=Redeploy())])
    doing.start()
    doing.stop()
    assert api.asked == []
    assert history.take(0) is None


def test_an_engine_that_is_lost_is_told_and_fails_the_run(history: HistoryWriter) -> None:
    api = Api(requests.ConnectionError("gone"))
    doing = operator(history, api, [Act(after_s=0, what=Redeploy())])
    doing.start()
    doing.join(20)
    with pytest.raises(LabError, match="the recorder of nemesis was lost"):
        history.take(20)
    loss = read_history(history.path)[0][0].what
    assert isinstance(loss, RecorderLost)
    assert loss.recorder == "nemesis"
