"""Options of the test run; pytest reads them here alone, whichever part of the tests it is pointed at."""


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true",
                     help="write tests/render/golden anew from what the formulas render to now")
    parser.addoption("--lab-host", metavar="NAME",
                     help="run tests/testinfra against this host of the lab; other machines: --hosts=ssh://...")
