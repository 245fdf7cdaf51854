"""zk.myid_stays, applied by the real Salt of both lines."""

import pytest


@pytest.mark.parametrize(
    "there", [None, "", "1", "1\n"], ids=["no file", "empty file", "the id", "the id and a newline"]
)
def test_a_server_without_an_id_or_with_this_one_goes_on(salt, tmp_path, there):
    if there is not None:
        (tmp_path / "myid").write_text(there)
    for test in (True, False):
        answer = salt("zk.myid_stays", test, name=str(tmp_path / "myid"), myid=1)
        assert answer["result"] is True and answer["changes"] == {}, answer


@pytest.mark.parametrize("test", [True, False])
def test_another_id_is_left_as_it_is_and_both_are_named(salt, tmp_path, test):
    myid = tmp_path / "myid"
    myid.write_text("3\n")
    answer = salt("zk.myid_stays", test, name=str(myid), myid=1)
    assert answer["result"] is False and answer["changes"] == {}
    assert "has the id 3" in answer["comment"] and "says 1" in answer["comment"]
    assert myid.read_text() == "3\n"
