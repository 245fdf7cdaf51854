"""zk.myid_stays, applied by the real Salt."""

import pytest


@pytest.mark.parametrize(
    "content",
    [None, "", "1", "1\n"],
    ids=["no file", "empty file", "the id", "the id and a newline"],
)
def test_a_server_without_an_id_or_with_the_same_id_passes(salt, tmp_path, content):
    if content is not None:
        (tmp_path / "myid").write_text(content)
    for test in (True, False):
        answer = salt("zk.myid_stays", test, name=str(tmp_path / "myid"), myid=1)
        assert answer["result"] is True and answer["changes"] == {}, answer


@pytest.mark.parametrize("test", [True, False])
def test_another_id_fails_the_state_and_the_file_stays(salt, tmp_path, test):
    myid = tmp_path / "myid"
    myid.write_text("3\n")
    answer = salt("zk.myid_stays", test, name=str(myid), myid=1)
    assert answer["result"] is False and answer["changes"] == {}
    assert (
        "has the id 3" in answer["comment"]
        and "but pillar zookeeper:myid is 1" in answer["comment"]
    )
    assert myid.read_text() == "3\n"
