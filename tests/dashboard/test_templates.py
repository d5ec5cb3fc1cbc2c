"""What the policy and accessibility ask of every template, and the shared partials."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from django import forms
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from dashboard.http import look

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*.html") if "email" not in str(path))
# Each dies, or runs although it should not, under a policy without eval and without inline script or style.
FORBIDDEN = {
    "a style attribute": re.compile(r"<[^>]*\sstyle=", re.DOTALL),
    "an inline style": re.compile(r"<style\b"),
    "an inline script": re.compile(r"<script(?![^>]*(?:src=|application/json))[^>]*>"),
    "an inline handler": re.compile(r"<[^>{]*\son[a-z]+=", re.DOTALL),
    "hx-on": re.compile(r"\bhx-on\b"),
    "a filter in hx-trigger": re.compile(r"hx-trigger=(\"[^\"]*\[|'[^']*\[)"),
    "js: in an htmx attribute": re.compile(r"hx-(vals|headers|vars)=.{0,3}js(cript)?:"),
    "another host": re.compile(r"(?:src|href|action)=[\"']https?://"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_template_needs_what_the_policy_forbids(what: str) -> None:
    assert [str(path.relative_to(ROOT)) for path in TEMPLATES if FORBIDDEN[what].search(path.read_text())] == []


def request(path: str = "/legend/") -> HttpRequest:
    made = RequestFactory().get(path)
    made.session = {}  # type: ignore[assignment]  # nothing reads it
    return made


@pytest.mark.parametrize("name", ["403.html", "403_csrf.html", "404.html", "500.html", "503.html"])
def test_an_error_page_needs_no_context_at_all(name: str) -> None:
    html = render_to_string(name)
    assert html.count("<h1>") == 1
    assert '<html lang="en">' in html
    head = re.search(r"<h1>(.*?)</h1>\s*<p class=\"finding\">(.*?)</p>", html, re.DOTALL)
    assert head is not None
    assert 1 <= len(head[1].split()) <= 4 and len(head[2].split()) >= 6


class AccountForm(forms.Form):
    name = forms.CharField(help_text="As it is called here.")
    every = forms.IntegerField(min_value=60, label="Read every")
    read = forms.MultipleChoiceField(
        choices=[("o", "Offers"), ("c", "Costs")], widget=forms.CheckboxSelectMultiple, required=False
    )
    active = forms.BooleanField(required=False)
    token = forms.CharField(widget=forms.HiddenInput, required=False)


def test_a_form_error_stands_at_the_field_and_in_the_summary() -> None:
    html = render_to_string("_form.html", {"form": AccountForm({"every": "10"}), "submit": "Save"})
    assert "2 errors: please fix them" in html
    assert 'href="#id_every"' in html
    assert 'id="id_every_error"' in html and 'aria-invalid="true"' in html
    assert 'value="10"' in html


def test_every_field_has_a_label_and_what_describes_it_exists() -> None:
    html = render_to_string("_form.html", {"form": AccountForm({"every": "10"}), "submit": "Save"})
    ids = set(re.findall(r'\bid="([^"]+)"', html))
    described = {name for text in re.findall(r'aria-describedby="([^"]+)"', html) for name in text.split()}
    assert described <= ids
    for control in re.findall(r"<(?:input|select|textarea)[^>]*\bid=\"([^\"]+)\"", html):
        assert f'for="{control}"' in html or "hidden" in html.split(f'id="{control}"')[0].rsplit("<", 1)[1], control
    assert html.count("<fieldset") == html.count("</fieldset>") == 1
    assert html.count("<div") == html.count("</div>")


def test_the_theme_is_the_systems_until_a_person_chooses() -> None:
    made = request()
    assert "data-theme=" not in render_to_string("bare.html", request=made)
    made.COOKIES["theme"] = "dark"
    assert 'data-theme="dark"' in render_to_string("bare.html", request=made)
    made.COOKIES["theme"] = '"><script>'
    assert "data-theme=" not in render_to_string("bare.html", request=made)


def choose(theme: str, back: str = "/spend/") -> Iterator[object]:
    response = look.theme(RequestFactory().post("/theme/", {"theme": theme, "next": back}))
    yield response.status_code
    yield response.headers.get("Location")
    yield response.cookies["theme"].value if "theme" in response.cookies else None


def test_a_chosen_theme_is_kept_in_a_cookie_and_leads_back() -> None:
    assert list(choose("dark")) == [303, "/spend/", "dark"]
    assert list(choose("")) == [303, "/spend/", ""]


def test_the_theme_switch_leads_to_no_other_site() -> None:
    assert list(choose("dark", "https://evil.example/"))[1] == "/"
    assert list(choose("dark", "//evil.example/"))[1] == "/"


def test_a_theme_that_does_not_exist_is_refused() -> None:
    assert next(iter(choose("pink"))) == 400


def test_plotly_comes_from_its_wheel_and_is_one_file() -> None:
    found = finders.find("plotly/plotly.min.js")
    assert isinstance(found, str) and Path(found).stat().st_size > 1_000_000
    assert finders.find("plotly/widgetbundle.js") is None


def test_the_id_that_keeps_maplibres_styles_out_is_still_plotlys() -> None:
    """After an update of plotly the new id stands in the bundle before `maplibregl-map`; put it into `explore.js`."""
    taken = re.search(r'NO_MAP = "([0-9a-f]{64})"', (ROOT / "static" / "js" / "explore.js").read_text())
    spec = find_spec("plotly")
    assert taken and spec and spec.origin
    bundle = (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_text()
    assert f'document.getElementById("{taken.group(1)}")' in bundle


def test_every_message_of_the_shared_parts_is_translatable() -> None:
    """Words between tags that no translation tag holds; names of keys and the product are no words."""
    bare = []
    for path in (ROOT / "templates").glob("_*.html"):
        text = re.sub(r"\{% (comment|blocktranslate)\b.*?\{% end\1 %\}", "", path.read_text(), flags=re.DOTALL)
        text = re.sub(r"\{[%{#].*?[%}#]\}|<kbd>.*?</kbd>", "", text, flags=re.DOTALL)
        bare += [
            (path.name, word)
            for word in re.findall(r">\s*([A-Za-z][A-Za-z ]{3,})\s*<", text)
            if word.strip() != "Breakeven"
        ]
    assert bare == []


@pytest.mark.django_db
def test_the_legend_is_drawn_for_whoever_is_signed_in(client: Client) -> None:
    assert client.get("/legend/").status_code == 302
    client.force_login(User.objects.create_user("rita"))
    html = client.get("/legend/").content.decode()
    assert html.count("<h1>") == 1
    assert 'class="l6"' in html and 'class="cut"' in html and "p-entered" in html


@pytest.mark.django_db
def test_the_sign_in_page_says_in_a_sentence_what_it_is_for(client: Client) -> None:
    html = client.get("/login/").content.decode()
    assert "See what your models cost" in html
    assert 'name="username"' in html and 'name="password"' in html
