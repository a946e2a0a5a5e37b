"""A browser without script that signs a person in: browser.py URL, as clients start one by $BROWSER or xdg-open.

It follows redirects, keeps cookies, fills in the forms of the pages and presses Allow, as a person does who has an invitation
or an access key. The last redirect goes to the client. What it saw is a line of $SIGN_IN_LOG; SIGN_IN_SECRET is what the person has.
"""

import html.parser
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

MOST_PAGES = 12
REDIRECTS = (301, 302, 303, 307, 308)
# What a person would look for on a button, the best first.
ONWARDS = ("allow", "continue", "next", "connect", "join", "enter", "open")


class Forms(html.parser.HTMLParser):
    """The forms of a page: fields with what they hold, and buttons."""

    def __init__(self, text):
        super().__init__()
        self.forms, self.form, self.button, self.select, self.title = [], None, None, None, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        name = attributes.get("name")
        if tag == "form":
            self.form = {"action": attributes.get("action"), "method": attributes.get("method", "get").lower(), "fields": [], "buttons": []}
            self.forms.append(self.form)
        elif self.form is None:
            return
        elif tag == "input" and attributes.get("type") in ("submit", "image"):
            self.form["buttons"].append({**attributes, "text": attributes.get("value", "")})
        elif tag in ("input", "textarea") and name and "disabled" not in attributes:
            self.form["fields"].append({"type": "text", "value": "", **attributes})
        elif tag == "button" and attributes.get("type", "submit") == "submit":
            self.button = {**attributes, "text": ""}
            self.form["buttons"].append(self.button)
        elif tag == "select" and name:
            self.select = {"type": "select", "name": name, "value": None}
            self.form["fields"].append(self.select)
        elif tag == "option" and self.select and (self.select["value"] is None or "selected" in attributes):
            self.select["value"] = attributes.get("value", "")

    def handle_data(self, data):
        self.title.append(data)
        if self.button is not None:
            self.button["text"] += data

    def handle_endtag(self, tag):
        if tag == "form":
            self.form = None
        elif tag == "button":
            self.button = None
        elif tag == "select":
            self.select = None


class Browser:
    def __init__(self, secret):
        self.secret = secret
        self.pages = []
        self.agent = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()), NoRedirect())

    def ask(self, url, form=None):
        """Status, headers, text."""
        parts = urllib.parse.urlsplit(url)
        headers = {"Accept": "text/html,application/xhtml+xml", "User-Agent": "Mozilla/5.0 (tests)"}
        if form is not None:
            headers |= {"Origin": f"{parts.scheme}://{parts.netloc}", "Sec-Fetch-Site": "same-origin"}
            form = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(url, data=form, headers=headers)
        try:
            reply = self.agent.open(request, timeout=30)
        except urllib.error.HTTPError as error:
            reply = error
        with reply:
            return reply.status, reply.headers, reply.read().decode(errors="replace")

    def sign_in(self, url):
        """From the address that a client opens to the one that the person ends at, which is not asked yet."""
        home = urllib.parse.urlsplit(url).netloc
        form = None
        for _ in range(MOST_PAGES):
            status, headers, text = self.ask(url, form)
            self.pages.append(f"{'GET' if form is None else 'POST'} {urllib.parse.urlsplit(url).path} {status}")
            form = None
            if status in REDIRECTS:
                url = urllib.parse.urljoin(url, headers["location"])
                if urllib.parse.urlsplit(url).netloc != home:
                    return url
                continue
            page = Forms(text)
            if status >= 400 or not page.forms:
                raise SystemExit(f"sign-in ends at {url} with {status}: {' '.join(' '.join(page.title).split())[:600]}")
            chosen, button = self.choose(page.forms)
            form = self.fill(chosen, button)
            target = chosen["action"] if not button.get("formaction") else button["formaction"]
            target = urllib.parse.urljoin(url, target or url)
            if chosen["method"] == "get":
                target, form = target + "?" + urllib.parse.urlencode(form), None
            url = target
        raise SystemExit(f"sign-in does not end: {self.pages}")

    def choose(self, forms):
        """The form and button that lead on."""
        for word in ONWARDS:
            for form in forms:
                for button in form["buttons"]:
                    if word in button["text"].lower():
                        return form, button
        raise SystemExit(f"no button leads on: {[button['text'] for form in forms for button in form['buttons']]}")

    def fill(self, form, button):
        """Name and value of what is sent: what the page has chosen, the person's secret, and a location where none is chosen."""
        fields, boxes, chosen = [], [], set()
        for field in form["fields"]:
            name, kind, value = field["name"], field["type"], field.get("value") or ""
            if kind in ("checkbox", "radio"):
                value = field.get("value", "on")
                if "checked" in field:
                    fields.append((name, value))
                    chosen.add(name)
                else:
                    boxes.append((name, value))
            elif kind == "password":
                fields.append((name, self.secret))
            else:
                fields.append((name, value))
        # A person ticks a location, and one of the choices, where the page has ticked none.
        for name, value in boxes:
            if name not in chosen:
                fields.append((name, value))
                chosen.add(name)
        if button.get("name"):
            fields.append((button["name"], button.get("value", "")))
        return fields


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def log(line):
    with open(os.environ["SIGN_IN_LOG"], "a") as file:
        file.write(json.dumps(line) + "\n")


def main(url):
    browser = Browser(os.environ["SIGN_IN_SECRET"])
    try:
        end = browser.sign_in(url)
    except (SystemExit, OSError) as failure:
        log({"pages": browser.pages, "error": str(failure)})
        sys.exit(1)
    # Before the client hears of it, so that whoever waits for the client finds the line.
    log({"pages": browser.pages, "error": None})
    for _ in range(100):
        try:
            # The client listens there, and says that the person may close the window. Some begin after they opened the browser.
            urllib.request.urlopen(end, timeout=30).close()
            return
        except urllib.error.HTTPError as failure:
            log({"pages": [], "error": f"the client answers {failure.code}"})
            sys.exit(1)
        except OSError:
            time.sleep(0.1)
    log({"pages": [], "error": "the client does not listen"})
    sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
