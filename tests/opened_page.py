"""A page that a browser has opened, for tests."""


class Opened:
    """A page in a browser, what it complained of, and what it requests for."""

    def __init__(self, browser, path, width=1280, **options):
        self.tab = browser.new_page(viewport={"width": width, "height": 900}, **options)
        self.messages, self.requests = [], []
        self.tab.on("console", lambda message: self.messages.append(message.text))
        self.tab.on("pageerror", lambda error: self.messages.append(str(error)))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.goto(path.as_uri())

    def __enter__(self):
        return self.tab

    def __exit__(self, *_):
        self.tab.close()
        assert self.messages == []
        assert [url[:40] for url in self.requests[1:] if not url.startswith("data:")] == []
