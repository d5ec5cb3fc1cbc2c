"""Set-ups for our own GPUs as commands that are right today, each with what goes wrong with it. Pure.

The research's own commands have aged: the apt-key repository of nvidia-docker is gone, llama.cpp has neither `make` nor
`./main`, `--quantization awq` breaks on a checkpoint that is not AWQ, and a pinned nvidia-driver-535 is too old.

Flags as of: docs.vllm.ai (Using Docker: the image runs `vllm serve`, so that the model is its first argument);
huggingface.co/docs/text-generation-inference/reference/launcher (--max-concurrent-requests refuses, fp8 is for H100,
eetq for any card); llama.cpp's tools/server/README.md (`-c` is shared by the slots that --parallel names, `--metrics`
is off unless asked for); docs.ollama.com/faq (the variables, and where systemd reads them) and
docs.ollama.com/context-length (4k below 24 GiB).
"""

from __future__ import annotations

import json
import shlex
from datetime import date

from django.utils.translation import gettext as _

from costs.sizing.recipe_vendors import vendor_recipes
from costs.sizing.recipe_words import (
    EIGHT_BITS,
    FOUR_BITS,
    GGUF,
    KEY,
    OLLAMA,
    Recipe,
    RecipeSetup,
    by_option,
    lines,
    vllm_arguments,
    vllm_model,
)

# 3.3.5 is in TGI's own docs and was never pushed: github.com/huggingface/text-generation-inference/issues/3320.
TGI_IMAGE = "ghcr.io/huggingface/text-generation-inference:3.3.4"
CHECKED = date(2026, 11, 27)  # when the commands were last held against the projects' own documentation


def recipes(setup: RecipeSetup) -> list[Recipe]:
    """Every set-up for what is asked, the host's preparation first. Raises KeyError for a model without weights."""
    return [_toolkit(), _vllm(setup), _vllm_compose(setup), _tgi(setup), _llamacpp(setup), _ollama(setup),
            *vendor_recipes(setup)]  # fmt: skip


def _gated(setup: RecipeSetup) -> tuple[str, ...]:
    if not setup.weights.gated:
        return ()
    return (_("The weights are gated: accept the licence on Hugging Face once, and set HF_TOKEN."),)


def _toolkit() -> Recipe:
    keyring = "/usr/share/keyrings/nvidia-container-toolkit-keyring.gpg"
    site = "https://nvidia.github.io/libnvidia-container"
    command = "\n".join(
        (
            "sudo ubuntu-drivers install --gpgpu   # Ubuntu; then reboot",
            f"curl -fsSL {site}/gpgkey | sudo gpg --dearmor -o {keyring}",
            f"curl -fsSL {site}/stable/deb/nvidia-container-toolkit.list \\",
            f"  | sed 's#deb https://#deb [signed-by={keyring}] https://#' \\",
            "  | sudo tee /etc/apt/sources.list.d/nvidia-container-toolkit.list",
            "sudo apt-get update && sudo apt-get install -y nvidia-container-toolkit",
            "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker",
            "docker run --rm --gpus all ubuntu nvidia-smi",
        )
    )
    return Recipe(
        "container-toolkit",
        _("GPU access in Docker"),
        _("once on your own host, already in RunPod’s and Vast.ai’s images"),
        command,
        (
            _("The repository of nvidia-docker and its apt-key are gone. The toolkit has its own repository."),
            _("Do not pin nvidia-driver-535: an image built for a newer CUDA refuses to start on an older driver."),
        ),
    )


def _vllm(setup: RecipeSetup) -> Recipe:
    first, *others = by_option(vllm_arguments(setup))
    command = lines(
        "docker run -d --name vllm --restart unless-stopped --gpus all --ipc=host -p 8000:8000",
        "-v hf-cache:/root/.cache/huggingface -e HF_TOKEN",
        f"vllm/vllm-openai:latest {first}",
        *others,
        f'--api-key "{KEY}"',
    )
    traps = [
        _("Without --api-key the port is open to all. The key protects only /v1, and /metrics stays open."),
        _("Pin the tag once it works: latest moves on."),
    ]
    if setup.precision in FOUR_BITS:
        traps.insert(
            0, _("The checkpoint must be AWQ itself. vLLM detects that, and --quantization awq on another fails.")
        )
    if setup.precision in EIGHT_BITS:
        traps.insert(0, _("--quantization fp8 quantises while loading. It needs Ada, Hopper or newer: a T4 cannot."))
    return Recipe("vllm", _("vLLM"), _("production with many users"), command, (*traps, *_gated(setup)))


def _vllm_compose(setup: RecipeSetup) -> Recipe:
    # A list in JSON is a list in YAML; a dollar is doubled, or Compose would put a variable there.
    words = [json.dumps(word).replace("$", "$$") for word in vllm_arguments(setup)]
    command = "\n".join(
        (
            "services:",
            "  vllm:",
            "    image: vllm/vllm-openai:latest",
            "    command:",
            *(f"      - {word}" for word in words),
            '      - "--api-key=${LLM_KEY}"',
            "    ipc: host",
            '    ports: ["8000:8000"]',
            "    environment: [HF_TOKEN]",
            '    volumes: ["hf-cache:/root/.cache/huggingface"]',
            "    restart: unless-stopped",
            "    deploy:",
            "      resources:",
            "        reservations:",
            "          devices: [{driver: nvidia, count: all, capabilities: [gpu]}]",
            "volumes:",
            "  hf-cache:",
        )
    )
    return Recipe(
        "vllm-compose",
        _("vLLM under Docker Compose"),
        _("the same, with the weights kept over restarts"),
        command,
        (
            _("Without capabilities: [gpu] Compose refuses the reservation."),
            _("Docker’s own proxy publishes the port on every address, past a host’s ufw rules."),
        ),
    )


def _tgi(setup: RecipeSetup) -> Recipe:
    quantize = "--quantize awq" if setup.precision in FOUR_BITS else ""
    quantize = "--quantize fp8" if setup.precision in EIGHT_BITS else quantize
    command = lines(
        "docker run -d --name tgi --gpus all --shm-size 1g -p 8080:80 -v tgi-data:/data -e HF_TOKEN",
        f"{TGI_IMAGE} --model-id {shlex.quote(vllm_model(setup))}",
        f"--max-input-tokens {setup.context_tokens * 3 // 4} --max-total-tokens {setup.context_tokens}",
        f"--max-concurrent-requests {setup.concurrent}",
        quantize,
        f"--num-shard {setup.gpus}" if setup.gpus > 1 else "",
        f'--api-key "{KEY}"',
    )
    eight_bits = (
        _("--quantize fp8 is for an H100 and newer. On an older card use --quantize eetq with the same weights."),
    ) * (setup.precision in EIGHT_BITS)
    return Recipe(
        "tgi",
        _("TGI"),
        _("interactive chat, where it runs already"),
        command,
        (
            _("TGI is in maintenance mode since the end of 2025. Its makers recommend vLLM, SGLang and llama.cpp."),
            *eight_bits,
            _("--max-concurrent-requests refuses requests above it with 429. The default is 128."),
            _("--max-input-tokens must stay below --max-total-tokens. Here a prompt may take three quarters."),
            _("With two GPUs the shared memory of a container (64 MB) is too small: --shm-size, or it hangs."),
            *_gated(setup),
        ),
    )


def _llamacpp(setup: RecipeSetup) -> Recipe:
    context = setup.context_tokens * setup.concurrent
    own = (_("These are the catalogue’s weights: a checkpoint of your own must be converted to GGUF first."),)
    serve = lines(
        f"./build/bin/llama-server -hf {setup.weights.gguf}:{GGUF[setup.precision]} --alias {setup.model}",
        f"-ngl 99 -c {context} --parallel {setup.concurrent}",
        f'--host 0.0.0.0 --port 8080 --metrics --api-key "{KEY}"',
    )
    command = "\n".join(
        (
            "git clone https://github.com/ggml-org/llama.cpp && cd llama.cpp",
            "cmake -B build -DGGML_CUDA=ON && cmake --build build --config Release -j",
            serve,
            "# or without compiling: docker run --gpus all -p 8080:8080 ghcr.io/ggml-org/llama.cpp:server-cuda …",
        )
    )
    half = (_("GGUF files of 16 bits are rare. The loss with 8 bits is very small."),) * (setup.precision == "fp16")
    return Recipe(
        "llama-cpp",
        _("llama.cpp"),
        _("local development, edge, a GPU that holds only a part"),
        command,
        (
            *(own if setup.checkpoint else ()),
            *half,
            _("`make` and `./main` are gone: it is built by cmake, and the server is llama-server."),
            _("-c is the context of all slots together: %(context)s here is %(slots)s times %(each)s.")
            % {"context": context, "slots": setup.concurrent, "each": setup.context_tokens},
            _("Without --metrics /metrics answers 501, and Breakeven cannot scrape it."),
        ),
    )


def _ollama(setup: RecipeSetup) -> Recipe:
    tag = f"{setup.weights.ollama}-{OLLAMA[setup.precision]}"
    command = "\n".join(
        (
            "curl -fsSL https://ollama.com/install.sh | sh",
            "sudo systemctl edit ollama   # add under [Service]:",
            f'#   Environment="OLLAMA_CONTEXT_LENGTH={setup.context_tokens}"',
            f'#   Environment="OLLAMA_NUM_PARALLEL={setup.concurrent}"',
            '#   Environment="OLLAMA_KEEP_ALIVE=-1"',
            '#   Environment="OLLAMA_HOST=127.0.0.1:11434"',
            "sudo systemctl daemon-reload && sudo systemctl restart ollama",
            f"ollama pull {tag}",
            "ollama ps   # PROCESSOR must say 100% GPU",
        )
    )
    return Recipe(
        "ollama",
        _("Ollama"),
        _("local development"),
        command,
        (
            _("Below 24 GB of GPU memory the default context is 4,096 tokens. A longer prompt is cut without error."),
            _("The memory grows with both: OLLAMA_NUM_PARALLEL is 1 unless set, and each slot has the whole context."),
            _("It has no key and no metrics: keep it on loopback, behind the gateway."),
            _("A model leaves the memory after five idle minutes unless OLLAMA_KEEP_ALIVE is set."),
        ),
    )
