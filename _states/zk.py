"""
Promises about a ZooKeeper server that no file state can keep. Called zk, as Salt up to 3007 has a module ``zookeeper``.
"""


def myid_stays(name, myid):
    """
    Fail if a server has another id already, before anything writes to its file. Changes nothing itself.

    A server that comes back under another id votes twice, or takes the place of one that is still there.

    name
        Path of the file ``myid`` in the data directory. No file, or an empty one: the server has no id yet.

    myid
        The id that it is to have, 1 to 255.

    .. code-block:: yaml

        zookeeper-myid-stays:
          zk.myid_stays:
            - name: /var/lib/zookeeper/myid
            - myid: 1
    """
    present = ""
    if __salt__["file.file_exists"](name):
        present = __salt__["file.read"](name).strip()
    good = present in ("", str(myid))
    comment = f"The id of this server is {myid}"
    if not good:
        comment = (
            f"This server has the id {present} in {name}, pillar zookeeper:myid says {myid}; it was left as it is. "
            f"If pillar is wrong, put {present} there. If the server is to join as {myid}, with no data yet, "
            f"stop zookeeper, move {name.rpartition('/')[0]} away and apply again."
        )
    return {"name": name, "result": good, "changes": {}, "comment": comment}
