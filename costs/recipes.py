"""Set-ups for our own GPUs as commands that are right today, each with what goes wrong with it. Pure.

The research's own commands have aged: the apt-key repository of nvidia-docker is gone, llama.cpp has neither `make` nor
`./main`, `--quantization awq` breaks on a checkpoint that is not AWQ, and a pinned nvidia-driver-535 is too old.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

CHECKED = date(2026, 11, 24)  # when the commands were last held against the projects' own documentation
KEY = "$LLM_KEY"


@dataclass(frozen=True, slots=True)
class Weights:
    """Where a model of the research is found: its weights, a 4-bit AWQ of them, GGUF files, Ollama's name."""

    plain: str
    awq: str
    gguf: str
    ollama: str
    gated: bool = False


WEIGHTS: dict[str, Weights] = {
    "mistral-7b": Weights(
        "mistralai/Mistral-7B-Instruct-v0.3",
        "solidrust/Mistral-7B-Instruct-v0.3-AWQ",
        "bartowski/Mistral-7B-Instruct-v0.3-GGUF",
        "mistral:7b-instruct-v0.3",
    ),
    "llama-7b": Weights(
        "meta-llama/Llama-2-7b-chat-hf", "TheBloke/Llama-2-7B-Chat-AWQ", "TheBloke/Llama-2-7B-Chat-GGUF",
        "llama2:7b-chat", gated=True,
    ),
    "llama-13b": Weights(
        "meta-llama/Llama-2-13b-chat-hf", "TheBloke/Llama-2-13B-chat-AWQ", "TheBloke/Llama-2-13B-chat-GGUF",
        "llama2:13b-chat", gated=True,
    ),
    "llama-70b": Weights(
        "meta-llama/Llama-2-70b-chat-hf", "TheBloke/Llama-2-70B-Chat-AWQ", "TheBloke/Llama-2-70B-Chat-GGUF",
        "llama2:70b-chat", gated=True,
    ),
}  # fmt: skip
# What each precision of the sizing is called by the engines: llama.cpp's file, and what vLLM is to do.
GGUF = {"fp16": "Q8_0", "int8": "Q8_0", "q8_0": "Q8_0", "int4": "Q4_K_M", "awq": "Q4_K_M", "q4_k_m": "Q4_K_M",
        "int3": "Q3_K_M", "q3_k_m": "Q3_K_M"}  # fmt: skip
OLLAMA = {name: f"q{kind[1]}{kind[2:]}" for name, kind in GGUF.items()} | {
    "fp16": "fp16",
    "int8": "q8_0",
    "q8_0": "q8_0",
}
FOUR_BITS = ("int4", "awq", "q4_k_m", "int3", "q3_k_m")
EIGHT_BITS = ("int8", "q8_0")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be served."""

    model: str
    precision: str
    context_tokens: int
    concurrent: int
    gpus: int = 1

    @property
    def weights(self) -> Weights:
        return WEIGHTS[self.model]


@dataclass(frozen=True, slots=True)
class Recipe:
    slug: str
    title: str
    purpose: str
    command: str
    traps: tuple[str, ...]


def recipes(asked: Asked) -> list[Recipe]:
    """Every set-up for what is asked, the host's preparation first. Raises KeyError for a model without weights."""
    return [_toolkit(), _vllm(asked), _vllm_compose(asked), _tgi(asked), _llamacpp(asked), _ollama(asked),
            _runpod(asked), _gcloud(asked)]  # fmt: skip


def _lines(*parts: str) -> str:
    """One command over several lines."""
    return " \\\n  ".join(part for part in parts if part)


def _vllm_arguments(asked: Asked) -> Iterator[str]:
    yield f"--model {_vllm_model(asked)}"
    yield f"--served-model-name {asked.model}"
    yield f"--max-model-len {asked.context_tokens}"
    yield f"--max-num-seqs {asked.concurrent}"
    if asked.precision in EIGHT_BITS:
        yield "--quantization fp8"
    if asked.gpus > 1:
        yield f"--tensor-parallel-size {asked.gpus}"


def _vllm_model(asked: Asked) -> str:
    return asked.weights.awq if asked.precision in FOUR_BITS else asked.weights.plain


def _gated(asked: Asked) -> tuple[str, ...]:
    if not asked.weights.gated:
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
        _("Docker sees the GPU"),
        _("once on a host of your own; RunPod’s and Vast.ai’s images have it"),
        command,
        (
            _("The repository of nvidia-docker and its apt-key are gone; the toolkit has one of its own."),
            _("Do not pin nvidia-driver-535: an image built for a newer CUDA refuses to start on an older driver."),
        ),
    )


def _vllm(asked: Asked) -> Recipe:
    first, *others = _vllm_arguments(asked)
    command = _lines(
        "docker run -d --name vllm --restart unless-stopped --gpus all --ipc=host -p 8000:8000",
        "-v hf-cache:/root/.cache/huggingface -e HF_TOKEN",
        f"vllm/vllm-openai:latest {first}",
        *others,
        f'--api-key "{KEY}"',
    )
    traps = [
        _("Without --api-key whoever finds the port may use it; the key guards /v1 only, /metrics stays open."),
        _("Pin the tag once it works: latest moves on."),
    ]
    if asked.precision in FOUR_BITS:
        traps.insert(
            0, _("The checkpoint must be AWQ itself; vLLM sees that, and --quantization awq on another fails.")
        )
    if asked.precision in EIGHT_BITS:
        traps.insert(
            0, _("--quantization fp8 quantises while loading; cards before Ada and Hopper, a T4 for one, cannot.")
        )
    return Recipe("vllm", _("vLLM"), _("production with many users"), command, (*traps, *_gated(asked)))


def _vllm_compose(asked: Asked) -> Recipe:
    arguments = [*_vllm_arguments(asked), "--api-key ${LLM_KEY}"]
    command = "\n".join(
        (
            "services:",
            "  vllm:",
            "    image: vllm/vllm-openai:latest",
            "    command: >-",
            *(f"      {argument}" for argument in arguments),
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


def _tgi(asked: Asked) -> Recipe:
    quantize = "--quantize awq" if asked.precision in FOUR_BITS else ""
    quantize = "--quantize fp8" if asked.precision in EIGHT_BITS else quantize
    command = _lines(
        "docker run -d --name tgi --gpus all --shm-size 1g -p 8080:80 -v tgi-data:/data -e HF_TOKEN",
        f"ghcr.io/huggingface/text-generation-inference:3.3.5 --model-id {_vllm_model(asked)}",
        f"--max-total-tokens {asked.context_tokens} --max-concurrent-requests {asked.concurrent}",
        quantize,
        f"--num-shard {asked.gpus}" if asked.gpus > 1 else "",
        f'--api-key "{KEY}"',
    )
    return Recipe(
        "tgi",
        _("TGI"),
        _("interactive chat, where it runs already"),
        command,
        (
            _("TGI is in maintenance mode since the end of 2025; its makers point to vLLM, SGLang and llama.cpp."),
            _("With two GPUs the shared memory of a container (64 MB) is too small: --shm-size, or it hangs."),
            *_gated(asked),
        ),
    )


def _llamacpp(asked: Asked) -> Recipe:
    context = asked.context_tokens * asked.concurrent
    serve = _lines(
        f"./build/bin/llama-server -hf {asked.weights.gguf}:{GGUF[asked.precision]} --alias {asked.model}",
        f"-ngl 99 -c {context} --parallel {asked.concurrent}",
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
    half = (_("GGUF files of 16 bits are hardly published; 8 bits lose next to nothing."),) * (
        asked.precision == "fp16"
    )
    return Recipe(
        "llama-cpp",
        _("llama.cpp"),
        _("local development, edge, a GPU that holds only a part"),
        command,
        (
            *half,
            _("`make` and `./main` are gone: it is built by cmake, and the server is llama-server."),
            _("-c is the context of all slots together: %(context)s here is %(slots)s times %(each)s.")
            % {"context": context, "slots": asked.concurrent, "each": asked.context_tokens},
            _("Without --metrics /metrics answers 501, and Breakeven cannot scrape it."),
        ),
    )


def _ollama(asked: Asked) -> Recipe:
    tag = f"{asked.weights.ollama}-{OLLAMA[asked.precision]}"
    command = "\n".join(
        (
            "curl -fsSL https://ollama.com/install.sh | sh",
            "sudo systemctl edit ollama   # add under [Service]:",
            f'#   Environment="OLLAMA_CONTEXT_LENGTH={asked.context_tokens}" "OLLAMA_NUM_PARALLEL={asked.concurrent}"',
            '#   Environment="OLLAMA_KEEP_ALIVE=-1" "OLLAMA_HOST=127.0.0.1:11434"',
            "sudo systemctl restart ollama",
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
            _("Below 24 GB of GPU memory the context is 4,096 tokens unless set; a longer prompt is cut silently."),
            _("It has no key and no metrics: keep it on loopback, behind the gateway."),
            _("A model leaves the memory after five idle minutes unless OLLAMA_KEEP_ALIVE says otherwise."),
        ),
    )


def _runpod(asked: Asked) -> Recipe:
    arguments = " ".join([*_vllm_arguments(asked), f"--api-key {KEY}"])
    command = "\n".join(
        (
            _lines(
                f"runpodctl pod create --name {asked.model} --image vllm/vllm-openai:latest",
                f'--gpu-id "NVIDIA GeForce RTX 4090" --gpu-count {asked.gpus} --cloud-type SECURE',
                "--container-disk-in-gb 30 --volume-in-gb 50 --volume-mount-path /root/.cache/huggingface",
                f'--ports "8000/http" --docker-args "{arguments}"',
            ),
            "# then https://POD-8000.proxy.runpod.net/v1",
        )
    )
    return Recipe(
        "runpod-vllm",
        _("RunPod"),
        _("a pod with vLLM, 50 GB kept for the weights"),
        command,
        (
            _("A stopped pod still pays for its volume, and twice the price of a running one’s; delete what is over."),
            _("The proxy cuts a request after 100 seconds without a byte: stream."),
            _("The REST API v1 is being switched off on 1 December 2026; write programs against v2."),
        ),
    )


def _gcloud(asked: Asked) -> Recipe:
    command = "\n".join(
        (
            "gcloud compute accelerator-types list --filter=name:nvidia-tesla-t4   # zones that have one",
            _lines(
                f"gcloud compute instances create {asked.model} --zone=us-central1-a",
                "--machine-type=n1-standard-4 --accelerator=type=nvidia-tesla-t4,count=1",
                "--maintenance-policy=TERMINATE --restart-on-failure",
                "--image-family=ubuntu-2404-lts-amd64 --image-project=ubuntu-os-cloud",
                "--boot-disk-size=100GB --boot-disk-type=pd-ssd",
            ),
            "# L4: --machine-type=g2-standard-8 and no --accelerator; spot: --provisioning-model=SPOT "
            "--instance-termination-action=STOP",
        )
    )
    return Recipe(
        "gcloud",
        _("Google Cloud"),
        _("a VM with a T4"),
        command,
        (
            _("A GPU cannot be added to a running VM by command: create the VM with it, and with TERMINATE."),
            _("New projects have a GPU quota of 0 (GPUS_ALL_REGIONS): ask for it first."),
            _("A T4 knows neither bfloat16 nor fp8: vLLM needs --dtype half there. The VM is billed beside the GPU."),
        ),
    )
