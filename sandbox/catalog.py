"""Built-in price lists of the simulated vendors; GPU prices move a little from day to day."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def drift(name: str, base: float, at: datetime) -> float:
    """`base` moved by at most 4 % on a slow wave of its own, in whole cents."""
    days = (at - EPOCH).total_seconds() / 86_400
    phase = zlib.crc32(name.encode()) % 628 / 100
    return round(base * (1 + 0.03 * math.sin(days / 9 + phase) + 0.01 * math.sin(days / 2 + 2 * phase)), 2)


@dataclass(frozen=True)
class TokenPrice:
    """USD per million tokens, and where a longer prompt costs more."""

    uncached_input: str
    cache_write_5m: str
    cache_write_1h: str
    cache_read: str
    output: str
    over_tokens: int | None = None
    over_factor: str = "1"

    def cost(self, tokens: dict[str, int], *, batch: bool = False) -> dict[str, Decimal]:
        """USD by token class of one request."""
        prompt = sum(count for name, count in tokens.items() if name != "output")
        factor = Decimal(self.over_factor) if self.over_tokens and prompt > self.over_tokens else Decimal(1)
        factor = factor / 2 if batch else factor
        return {
            name: Decimal(getattr(self, name)) * count * factor / 1_000_000 for name, count in tokens.items() if count
        }


CLAUDE: dict[str, TokenPrice] = {
    "claude-haiku-4-5": TokenPrice("1", "1.25", "2", "0.10", "5"),
    "claude-haiku-5-5": TokenPrice("0.10", "0.125", "0.20", "0.01", "0.50", 100_000, "5"),
    "claude-sonnet-4-5": TokenPrice("3", "3.75", "6", "0.30", "15"),
    "claude-sonnet-4-6": TokenPrice("3", "3.75", "6", "0.30", "15"),
    "claude-sonnet-5": TokenPrice("2", "2.50", "4", "0.20", "10"),
    "claude-sonnet-5-5": TokenPrice("2", "2.50", "4", "0.10", "10"),
    "claude-opus-4-8": TokenPrice("5", "6.25", "10", "0.50", "25"),
    "claude-opus-5-5": TokenPrice("4", "5", "8", "0.20", "20"),
    "claude-fable-5-2": TokenPrice("8", "10", "16", "0.20", "40"),
}
RETIRES = {"claude-sonnet-4-5": "2026-11-30T00:00:00Z"}


@dataclass(frozen=True)
class Gpu:
    """What RunPod rents: USD per GPU hour by place, and how many are left."""

    id: str
    name: str
    pool: str
    memory: int
    secure: float
    community: float
    serverless: float
    spot: float
    availability: str = "HIGH"


RUNPOD: list[Gpu] = [
    Gpu("NVIDIA GeForce RTX 3090", "RTX 3090", "AMPERE_24", 24, 0.46, 0.22, 0.68, 0.14),
    Gpu("NVIDIA GeForce RTX 4090", "RTX 4090", "ADA_24", 24, 0.59, 0.34, 1.10, 0.20),
    Gpu("NVIDIA L4", "L4", "ADA_24", 24, 0.43, 0.0, 0.69, 0.24, "MEDIUM"),
    Gpu("NVIDIA L40S", "L40S", "ADA_48_PRO", 48, 0.86, 0.79, 1.90, 0.40, "LOW"),
    Gpu("NVIDIA RTX A6000", "RTX A6000", "AMPERE_48", 48, 0.49, 0.33, 1.22, 0.25),
    Gpu("NVIDIA A100 80GB PCIe", "A100 PCIe", "AMPERE_80", 80, 1.99, 1.49, 2.72, 0.82, "MEDIUM"),
    Gpu("NVIDIA A100-SXM4-80GB", "A100 SXM", "AMPERE_80", 80, 2.09, 1.64, 2.72, 0.95),
    Gpu("NVIDIA H100 PCIe", "H100 PCIe", "ADA_80_PRO", 80, 2.39, 1.99, 4.18, 1.25, "LOW"),
    Gpu("NVIDIA H100 80GB HBM3", "H100 SXM", "ADA_80_PRO", 80, 2.99, 2.69, 4.18, 1.75, "MEDIUM"),
    Gpu("NVIDIA H200", "H200 SXM", "HOPPER_141", 141, 3.99, 0.0, 5.58, 2.29, "NONE"),
]


@dataclass(frozen=True)
class VastHost:
    """One machine on Vast.ai: USD per hour of the whole offer, without its disk."""

    machine: int
    gpu: str
    count: int
    ram_mb: int
    dph: float
    min_bid: float
    reliability: float
    place: str
    rentable: bool = True


VAST: list[VastHost] = [
    VastHost(1201, "RTX 4090", 1, 24564, 0.24, 0.13, 0.962, "Warsaw, PL"),
    VastHost(1202, "RTX 4090", 1, 24564, 0.30, 0.16, 0.991, "Utah, US"),
    VastHost(1203, "RTX 4090", 2, 24564, 0.68, 0.36, 0.997, "Quebec, CA"),
    VastHost(1204, "RTX 4090", 1, 24564, 0.42, 0.22, 0.999, "Milan, IT"),
    VastHost(1205, "RTX 4090", 4, 24564, 2.40, 1.20, 0.998, "Oslo, NO"),
    VastHost(1301, "RTX 3090", 1, 24576, 0.16, 0.08, 0.975, "Texas, US"),
    VastHost(1302, "RTX 3090", 2, 24576, 0.36, 0.18, 0.988, "Lyon, FR"),
    VastHost(1401, "A100 PCIE", 1, 81920, 0.62, 0.36, 0.981, "Virginia, US"),
    VastHost(1402, "A100 SXM4", 1, 81920, 0.90, 0.52, 0.996, "Tokyo, JP"),
    VastHost(1403, "A100 SXM4", 8, 81920, 9.60, 5.20, 0.999, "Reykjavik, IS"),
    VastHost(1501, "H100 SXM", 1, 81559, 1.87, 1.10, 0.994, "Oregon, US"),
    VastHost(1502, "H100 NVL", 2, 95830, 3.70, 2.10, 0.99, "Stockholm, SE"),
    VastHost(1601, "L40S", 1, 46068, 0.52, 0.30, 0.986, "Amsterdam, NL"),
    VastHost(1701, "RTX 5090", 1, 32607, 0.45, 0.25, 0.979, "Seoul, KR"),
    VastHost(1702, "RTX A6000", 1, 49140, 0.40, 0.22, 0.993, "Dublin, IE"),
]


@dataclass(frozen=True)
class LambdaType:
    """An instance type of Lambda: whole US cents per hour for all its GPUs, and where one is free."""

    name: str
    description: str
    gpu: str
    cents: int
    gpus: int
    regions: tuple[str, ...]


LAMBDA: list[LambdaType] = [
    LambdaType("gpu_1x_a10", "1x A10 (24 GB PCIe)", "A10 (24 GB PCIe)", 75, 1, ("us-west-1", "us-east-1")),
    LambdaType("gpu_1x_a6000", "1x RTX A6000 (48 GB)", "RTX A6000 (48 GB)", 80, 1, ()),
    LambdaType("gpu_1x_a100_sxm4", "1x A100 (40 GB SXM4)", "A100 (40 GB SXM4)", 129, 1, ("us-east-1",)),
    LambdaType("gpu_8x_a100_80gb_sxm4", "8x A100 (80 GB SXM4)", "A100 (80 GB SXM4)", 1432, 8, ("us-midwest-1",)),
    LambdaType("gpu_1x_gh200", "1x GH200 (96 GB)", "GH200 (96 GB)", 149, 1, ("us-east-3",)),
    LambdaType("gpu_1x_h100_pcie", "1x H100 (80 GB PCIe)", "H100 (80 GB PCIe)", 249, 1, ("us-west-3",)),
    LambdaType("gpu_1x_h100_sxm5", "1x H100 (80 GB SXM5)", "H100 (80 GB SXM5)", 329, 1, ("us-south-2",)),
    LambdaType("gpu_8x_h100_sxm5", "8x H100 (80 GB SXM5)", "H100 (80 GB SXM5)", 2392, 8, ()),
]
LAMBDA_REGIONS = {
    "us-west-1": "California, USA",
    "us-west-3": "Utah, USA",
    "us-east-1": "Virginia, USA",
    "us-east-3": "Washington DC, USA",
    "us-midwest-1": "Illinois, USA",
    "us-south-2": "North Texas, USA",
}


@dataclass(frozen=True)
class GoogleSku:
    """A line of Google's price list: USD per unit and hour by usage type, 0 where there is none."""

    words: str
    prices: dict[str, float]
    group: str = "GPU"
    unit: str = "h"


def _by_usage(on_demand: float, spot: float, one_year: float, three_years: float) -> dict[str, float]:
    return {"OnDemand": on_demand, "Preemptible": spot, "Commit1Yr": one_year, "Commit3Yr": three_years}


# Region -> factor on the prices of us-central1.
GOOGLE_REGIONS = {"us-central1": 1.0, "europe-west4": 1.1, "europe-west8": 1.18}
GOOGLE: list[GoogleSku] = [
    GoogleSku("Nvidia Tesla T4 GPU", _by_usage(0.35, 0.14, 0.22, 0.16)),
    GoogleSku("Nvidia L4 GPU", _by_usage(0.62, 0.25, 0.39, 0.28)),
    GoogleSku("Nvidia Tesla A100 GPU", _by_usage(1.15, 0.46, 0.72, 0.52)),
    GoogleSku("Nvidia Tesla A100 80GB GPU", _by_usage(1.57, 0.63, 0.99, 0.71)),
    GoogleSku("Nvidia H100 80GB GPU", _by_usage(3.10, 1.24, 2.15, 1.36)),
    GoogleSku("N1 Predefined Instance Core", _by_usage(0.031611, 0.00698, 0.019915, 0.014225), "N1Standard"),
    GoogleSku("N1 Predefined Instance Ram", _by_usage(0.004237, 0.00094, 0.002669, 0.001907), "N1Standard", "GiBy.h"),
    GoogleSku("G2 Instance Core", _by_usage(0.024988, 0.00999, 0.015743, 0.011245), "CPU"),
    GoogleSku("G2 Instance Ram", _by_usage(0.002927, 0.00117, 0.001844, 0.001317), "RAM", "GiBy.h"),
    GoogleSku("A2 Instance Core", _by_usage(0.031611, 0.00948, 0.019915, 0.014225), "CPU"),
    GoogleSku("A2 Instance Ram", _by_usage(0.004237, 0.00127, 0.002669, 0.001907), "RAM", "GiBy.h"),
    GoogleSku("A3 Instance Core", _by_usage(0.029344, 0.01174, 0.020319, 0.012911), "CPU"),
    GoogleSku("A3 Instance Ram", _by_usage(0.002552, 0.00102, 0.001767, 0.001123), "RAM", "GiBy.h"),
    # Lines that a careless reader would take for one of ours.
    GoogleSku("Nvidia Tesla T4 Virtual Workstation GPU", _by_usage(0.55, 0.34, 0, 0)),
    GoogleSku("Reserved Nvidia L4 GPU", _by_usage(0.62, 0, 0, 0)),
    GoogleSku("Sole Tenancy Premium for Nvidia Tesla A100 GPU", _by_usage(0.12, 0, 0, 0)),
    GoogleSku("DWS Calendar Mode Nvidia H100 80GB GPU", _by_usage(2.20, 0, 0, 0)),
    GoogleSku("SSD backed PD Capacity", _by_usage(0.17, 0, 0, 0), "SSD", "GiBy.mo"),
]
