"""Who has a GPU now that holds the model, and commands that are safe to paste whatever was typed."""

from __future__ import annotations

import json
import shlex
import subprocess
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from costs.price_sheets.sheets import load
from costs.sizing import memory as sizing
from costs.sizing import recipes
from costs.sizing.offers import rentable
from costs.sizing.recipe_words import RecipeSetup
from providers.models import Account, Offer, Throughput
from tests.costs.people import client_of, text
from tests.providers.people import account, read

SHEET = load()
NASTY = """o'rg/m"odel$(touch owned)`touch owned`; touch owned && '"""
STUBS = """
said() { for word in "$@"; do printf '%s\\0' "$word"; done; }
docker() { said "$@"; }; runpodctl() { said "$@"; }; gcloud() { said "$@"; }
vastai() { if [ "$1" = create ]; then said "$@"; fi; }
pip() { :; }
LLM_KEY="key of mine" HF_TOKEN=token VAST_API_KEY=v
"""


def offer(provider: str, gpu: str, price: str, **more: Any) -> Offer:
    given = {"kind": "on_demand", "memory_gb": None, "seen_at": timezone.now()} | more
    number = Offer.objects.count()
    return Offer.objects.create(
        provider=provider, external_id=f"o{number}", gpu=gpu, price_per_gpu_hour=Decimal(price), **given
    )


def ways(model: str = "mistral-7b", precision: str = "fp16", context: int = 4096, concurrent: int = 8) -> list[Any]:
    chosen = SHEET.model(model)
    need = sizing.memory(chosen, precision, context_tokens=context, concurrency=concurrent)
    return rentable(chosen, precision, need, context_tokens=context, now=timezone.now())


@pytest.fixture
def vendors(db: None) -> None:
    for kind in ("runpod", "vast", "lambda"):
        account(kind, kind)


@pytest.mark.usefixtures("vendors")
def test_what_holds_the_model_stands_in_the_order_of_its_price() -> None:
    offer("runpod", "RTX 4090", "0.50")
    offer("vast", "RTX 4090", "0.30")
    offer("vast", "RTX 4090", "0.28", available=False)
    offer("vast", "T4", "0.10")
    offer("vast", "a GPU that nobody knows", "0.01")
    found = [(row.provider, row.gpu, row.rented, row.per_hour, row.per_month) for row in ways()]
    assert found == [
        ("vast", "T4", 2, Decimal("0.20"), Decimal("146.00")),  # 19.7 GB on two of 16
        ("vast", "RTX 4090", 1, Decimal("0.30"), Decimal("219.00")),
        ("runpod", "RTX 4090", 1, Decimal("0.50"), Decimal("365.00")),
    ]
    assert all(row.room >= 8 for row in ways())


@pytest.mark.usefixtures("vendors")
def test_an_offer_is_priced_for_its_whole_machine_and_too_small_machines_are_left_out() -> None:
    offer("lambda", "A100 80GB", "2.00", gpu_count=8)
    offer("lambda", "RTX A6000", "1.00", gpu_count=2)
    [way] = ways("llama-70b", "fp16")
    assert (way.gpu, way.rented, way.per_hour) == ("A100 80GB", 8, Decimal("16.00"))
    assert way.count < way.rented


@pytest.mark.usefixtures("vendors")
def test_a_vendor_that_was_not_read_lately_stands_last_and_is_marked() -> None:
    offer("runpod", "RTX 4090", "0.20")
    offer("vast", "RTX 4090", "0.60")
    read(Account.objects.get(slug="runpod"), ago=timedelta(days=2))
    assert [(row.provider, row.old) for row in ways()] == [("vast", False), ("runpod", True)]
    page = text(client_of("ops"), "/decide/sizing/")
    assert "1 × <b>RTX 4090</b> at Vast.ai, on demand, for $0.60 an hour" in page
    assert '<tr class="old">' in page


@pytest.mark.usefixtures("vendors")
def test_the_speed_comes_with_its_source() -> None:
    offer("runpod", "RTX 4090", "0.20")
    Throughput.objects.update_or_create(
        model="mistral-7b", gpu="RTX 4090", gpu_count=1, engine="vllm",
        defaults={"name": "Mistral 7B", "low": 80, "high": 90, "basis": "single_stream", "source": "the note"},
    )  # fmt: skip
    page = text(client_of("ops"), "/decide/sizing/")
    assert '80–90<span class="secondary">one stream, so at least that · the note, vllm' in page


def test_without_offers_the_page_says_so(db: None) -> None:
    page = text(client_of("ops"), "/decide/sizing/")
    assert "No offers now" in page
    assert "No current offer. Cheapest reference price (January 2026):" in page


# Commands.


def asked(model: str = "mistral-7b", checkpoint: str = "", **more: Any) -> RecipeSetup:
    given: dict[str, Any] = {"precision": "fp16", "context_tokens": 4096, "concurrent": 8} | more
    need = sizing.memory(
        SHEET.model(model), given["precision"], context_tokens=given["context_tokens"], concurrency=given["concurrent"]
    )
    return RecipeSetup(model, checkpoint=checkpoint, need=need, **given)


def words(command: str, folder: Path) -> list[str]:
    """What the program of a command gets, by a real shell."""
    done = subprocess.run(["bash", "-c", STUBS + command], cwd=folder, capture_output=True, check=True)
    assert list(folder.iterdir()) == [], "the command ran what was typed"
    return done.stdout.decode().split("\0")


def command_of(slug: str, checkpoint: str = "", **more: Any) -> str:
    return {one.slug: one.command for one in recipes.recipes(asked(checkpoint=checkpoint, **more))}[slug]


@pytest.mark.parametrize("slug", ["vllm", "tgi", "vast-vllm"])
def test_a_name_with_quotes_stays_one_word_of_the_command(slug: str, tmp_path: Path) -> None:
    found = words(command_of(slug, NASTY), tmp_path)
    assert NASTY in found
    assert not any("owned" in word for word in found if word != NASTY)


def test_a_hostile_name_stays_one_argument_of_the_inner_command_of_a_pod(tmp_path: Path) -> None:
    found = words(command_of("runpod-vllm", NASTY), tmp_path)
    inner = shlex.split(found[found.index("--docker-args") + 1])
    assert inner[0] == NASTY
    environment = json.loads(found[found.index("--env") + 1])
    assert environment == {"VLLM_API_KEY": "key of mine", "HF_TOKEN": "token"}


def test_vast_gets_its_environment_as_one_word_and_the_arguments_last(tmp_path: Path) -> None:
    found = words(command_of("vast-vllm"), tmp_path)
    environment = found[found.index("--env") + 1]
    assert environment == '-p 8000:8000 -e VLLM_API_KEY="key of mine" -e HF_TOKEN="token"'
    assert found[found.index("--args") + 1] == "mistralai/Mistral-7B-Instruct-v0.3"


def test_compose_gets_it_as_a_string_without_variables() -> None:
    command = command_of("vllm-compose", "o'rg/$HOME\"x")
    line = next(line for line in command.splitlines() if "HOME" in line)
    assert json.loads(line.strip().removeprefix("- ")) == "o'rg/$$HOME\"x"


@pytest.mark.parametrize(
    ("model", "precision", "machine"),
    [
        ("llama-7b", "int4", "n1-standard-8 --accelerator=type=nvidia-tesla-t4,count=1"),
        ("mistral-7b", "fp16", "g2-standard-8"),
        ("llama-70b", "int4", "a2-ultragpu-1g"),
        ("llama-70b", "fp16", "a2-ultragpu-4g"),
    ],
)
def test_google_gets_the_smallest_machine_that_holds_it(model: str, precision: str, machine: str) -> None:
    context = 512 if model == "llama-7b" else 4096
    wanted = asked(model, precision=precision, context_tokens=context)
    command = {one.slug: one.command for one in recipes.recipes(wanted)}["gcloud"]
    assert f"--machine-type={machine} \\" in command
    assert "--maintenance-policy=TERMINATE" in command


def test_the_disk_holds_the_weights() -> None:
    assert "--volume-in-gb 190" in {one.slug: one.command for one in recipes.recipes(asked("llama-70b"))}["runpod-vllm"]


@pytest.mark.parametrize("typed", ["--trust-remote-code", "a\nb"])
def test_a_checkpoint_that_looks_like_an_option_or_has_several_lines_is_refused_at_its_field(
    db: None, typed: str
) -> None:
    answer = client_of("ops").get("/decide/sizing/", {"checkpoint": typed})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "which does not begin with a dash" in page
    assert "vllm/vllm-openai:latest mistralai/Mistral-7B-Instruct-v0.3" in page


def test_a_checkpoint_of_our_own_is_in_the_commands_and_escaped_on_the_page(db: None) -> None:
    page = client_of("ops").get("/decide/sizing/", {"checkpoint": "ours/<b>fine</b>"}).content.decode()
    assert "ours/&lt;b&gt;fine&lt;/b&gt;" in page
    assert "<b>fine" not in page
