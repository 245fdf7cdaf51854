"""Error pages of Jetty, which Chronos 3 returns for what it cannot deserialize or find."""

from __future__ import annotations

import html

from ..wire.http import Response

CONTENT_TYPE = "text/html;charset=iso-8859-1"
_PAGE = """<html>
<head>
<meta http-equiv="Content-Type" content="text/html;charset=ISO-8859-1"/>
<title>Error {status} </title>
</head>
<body>
<h2>HTTP ERROR: {status}</h2>
<p>Problem accessing {path}. Reason:
<pre>    {reason}</pre></p>
<hr /><a href="http://eclipse.org/jetty">Powered by Jetty:// 9.3.6.v20151106</a><hr/>
</body>
</html>
"""


def error_page(path: str, status: int, reason: str) -> Response:
    """Return the page about an error. The title never contains the reason."""
    text = _PAGE.format(
        status=status, path=path, reason=html.escape(reason).replace("&#x27;", "&apos;")
    )
    return Response(text, status, content_type=CONTENT_TYPE)
