"""Set-ups at a vendor: the command that rents a GPU that holds the model and starts vLLM on it. Pure.

Flags as of the vendors' own references: docs.runpod.io/runpodctl/reference/runpodctl-pod (`pod create`),
docs.vast.ai/cli/reference (`search offers`, whose `gpu_ram` is GB of one GPU, and `create instance`), and
cloud.google.com/compute/docs/gpus (machine types and their counts, and the T4, `nvidia-tesla-t4`, as the one that is
added to a machine), …/gpus/create-gpu-vm-accelerator-optimized (the command, --maintenance-policy=TERMINATE),
…/instances/create-use-spot (SPOT with its --instance-termination-action) and …/disks/local-ssd
(--discard-local-ssd).
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from decimal import Decimal

from django.utils.translation import gettext as _

from costs.sizing.memory import gpus_needed
from costs.sizing.recipe_words import KEY, TOKEN, Recipe, RecipeSetup, lines, vllm_arguments

IMAGE = "vllm/vllm-openai:latest"
# Our name of a GPU -> what the vendor calls it, the smallest first.
RUNPOD = {
    "L4": "NVIDIA L4",
    "RTX 4090": "NVIDIA GeForce RTX 4090",
    "L40S": "NVIDIA L40S",
    "A100 80GB": "NVIDIA A100 80GB PCIe",
    "H200": "NVIDIA H200",
}
VAST = {
    "RTX 4090": "RTX_4090",
    "RTX A6000": "RTX_A6000",
    "A100 80GB": "A100_SXM4",
    "H200": "H200",
}
# GPU -> how many -> machine type. A T4 is added to a machine (of up to 48 vCPU for one or two, 96 for four), the others
# come with theirs.
GOOGLE: dict[str, dict[int, str]] = {
    "T4": {1: "n1-standard-8", 2: "n1-standard-16", 4: "n1-standard-32"},
    "L4": {1: "g2-standard-8", 2: "g2-standard-24", 4: "g2-standard-48", 8: "g2-standard-96"},
    "A100 40GB": {n: f"a2-highgpu-{n}g" for n in (1, 2, 4, 8)},
    "A100 80GB": {n: f"a2-ultragpu-{n}g" for n in (1, 2, 4, 8)},
}
MEMORY = {
    "T4": 16,
    "L4": 24,
    "RTX 4090": 24,
    "A100 40GB": 40,
    "L40S": 48,
    "RTX A6000": 48,
    "A100 80GB": 80,
    "H200": 141,
}
SPARE_GB = 30  # of disk for the image's own layers and what else is downloaded


def vendor_recipes(setup: RecipeSetup) -> list[Recipe]:
    return [runpod(setup), vast(setup), gcloud(setup)]


def card(setup: RecipeSetup, gpus: Sequence[str], counts: Mapping[str, Sequence[int]] | None = None) -> tuple[str, int]:
    """The fewest GPUs that hold the model, the smallest of those; the largest there is where none does."""
    fitting = []
    for gpu in gpus:
        count = gpus_needed(setup.need, Decimal(MEMORY[gpu])) if setup.need else setup.gpus
        if count is not None and (counts is None or count in counts[gpu]):
            fitting.append((count, MEMORY[gpu], gpu))
    if not fitting:
        largest = gpus[-1]
        return largest, max(counts[largest]) if counts else 8
    count, _gb, gpu = min(fitting)
    return gpu, count


def disk_gb(setup: RecipeSetup) -> int:
    """For the weights as they are downloaded, in tens."""
    weights = setup.need.weights if setup.need else Decimal(20)
    return math.ceil(weights * Decimal("1.1") / 10) * 10 + SPARE_GB


def machine_name(setup: RecipeSetup) -> str:
    """A name that every vendor takes."""
    return re.sub(r"[^a-z0-9]+", "-", setup.model.lower()).strip("-")[:40] or "llm"


def too_big(setup: RecipeSetup, gpu: str, count: int) -> tuple[str, ...]:
    if setup.need is None or gpus_needed(setup.need, Decimal(MEMORY[gpu])) is not None:
        return ()
    return (
        _("Not even %(count)s × %(gpu)s hold it: ask for less context or fewer at once.")
        % {"count": count, "gpu": gpu},
    )


def runpod(setup: RecipeSetup) -> Recipe:
    gpu, count = card(setup, list(RUNPOD))
    arguments = shlex.join(vllm_arguments(setup, gpus=count))
    command = "\n".join(
        (
            lines(
                f"runpodctl pod create --name {machine_name(setup)} --image {IMAGE}",
                f"--gpu-id {shlex.quote(RUNPOD[gpu])} --gpu-count {count} --cloud-type SECURE",
                f"--min-cuda-version 12.8 --container-disk-in-gb 30 --volume-in-gb {disk_gb(setup)}",
                "--volume-mount-path /root/.cache/huggingface --ports 8000/http",
                # A single-quoted object with the keys put in between, so that the shell and not the pod reads them.
                f"""--env '{{"VLLM_API_KEY":"'"{KEY}"'","HF_TOKEN":"'"{TOKEN}"'"}}'""",
                f"--docker-args {shlex.quote(arguments)}",
            ),
            "# then https://POD-8000.proxy.runpod.net/v1",
        )
    )
    traps = (
        *too_big(setup, gpu, count),
        _("A stopped pod’s volume is still billed, at twice the price of a running one’s. Delete unused volumes."),
        _("The proxy cuts a request after 100 seconds without a byte: stream."),
        _("For a template of your own: the same image, ports, volume and arguments under Templates in the console."),
        _("The REST API v1 ends on 1 December 2026. Use v2 in programs."),
    )
    title = _("RunPod, %(count)s × %(gpu)s") % {"count": count, "gpu": gpu}
    return Recipe("runpod-vllm", title, _("a pod with vLLM, its volume kept for the weights"), command, traps)


def vast(setup: RecipeSetup) -> Recipe:
    gpu, count = card(setup, list(VAST))
    memory = f" gpu_ram>={MEMORY[gpu] - 2}" if gpu == "A100 80GB" else ""
    query = f"gpu_name={VAST[gpu]} num_gpus={count}{memory} reliability>0.98 cuda_vers>=12.8 rentable=true"
    environment = f"""-p 8000:8000 -e VLLM_API_KEY="'"{KEY}"'" -e HF_TOKEN="'"{TOKEN}"'\""""
    command = "\n".join(
        (
            "pip install vastai && vastai set api-key \"$VAST_API_KEY\"",
            f"vastai search offers {shlex.quote(query)} -o dph",
            lines(
                f"vastai create instance OFFER_ID --image {IMAGE} --disk {disk_gb(setup)}",
                f"--label {machine_name(setup)} --env '{environment}'",
                f"--args {shlex.join(vllm_arguments(setup, gpus=count))}",
            ),
            "vastai show instances   # PORTS says which public port leads to 8000",
        )
    )  # fmt: skip
    traps = (
        *too_big(setup, gpu, count),
        _("OFFER_ID is the first column of the search. If an offer is sold out, take the next."),
        _("--args must be the last: everything after it goes to vLLM. With --ssh the image’s own start is replaced."),
        _("A stopped instance’s disk is still billed, and its GPU may be taken later. Delete what you no longer use."),
        _("Its host can read what you send: keep personal data away, or search with datacenter=true."),
    )
    title = _("Vast.ai, %(count)s × %(gpu)s") % {"count": count, "gpu": gpu}
    return Recipe("vast-vllm", title, _("the cheapest hour, for experiments and trials"), command, traps)


def gcloud(setup: RecipeSetup) -> Recipe:
    gpu, count = card(setup, list(GOOGLE), {name: list(types) for name, types in GOOGLE.items()})
    added = f"--accelerator=type=nvidia-tesla-t4,count={count}" if gpu == "T4" else ""
    machine = GOOGLE[gpu][count]
    command = "\n".join(
        (
            f"gcloud compute machine-types list --filter=name={machine}   # zones that have it",
            lines(
                f"gcloud compute instances create {machine_name(setup)} --zone=us-central1-a",
                f"--machine-type={machine} {added}".rstrip(),
                "--maintenance-policy=TERMINATE --restart-on-failure",
                "--image-family=ubuntu-2404-lts-amd64 --image-project=ubuntu-os-cloud",
                f"--boot-disk-size={disk_gb(setup) + 50}GB --boot-disk-type=pd-ssd",
            ),
            "# spot: --provisioning-model=SPOT --instance-termination-action=STOP, without --restart-on-failure",
            "# then the commands above on it: the container toolkit, and vLLM",
        )
    )
    traps = [
        *too_big(setup, gpu, count),
        _("A GPU cannot be added to a running VM by command: create the VM with it, or stop it first."),
        _("--maintenance-policy=TERMINATE is needed: a VM with a GPU cannot be moved while it runs."),
        _("New projects have a GPU quota of 0 (GPUS_ALL_REGIONS): ask for it first."),
        _("Zones run out of GPUs (ZONE_RESOURCE_POOL_EXHAUSTED): try another zone, or reserve."),
    ]
    if gpu == "T4":
        traps.append(
            _("A T4 knows neither bfloat16 nor fp8: vLLM needs --dtype half there. The VM is billed beside the GPU.")
        )
    if machine.startswith("a2-ultragpu"):
        traps.append(
            _("It comes with local SSDs, and loses them when it is stopped: stop it with --discard-local-ssd=true.")
        )
    title = _("Google Cloud, %(count)s × %(gpu)s") % {"count": count, "gpu": gpu}
    return Recipe("gcloud", title, _("a VM with its GPU"), command, tuple(traps))
