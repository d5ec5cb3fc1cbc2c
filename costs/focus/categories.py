"""The name of each category of the ledger in FOCUS. They are values of the format, so they are never translated."""

from __future__ import annotations

from dataclasses import dataclass

from costs.models import Category


@dataclass(frozen=True, slots=True)
class Service:
    """`name` is the provider's own name of a service; the other fields are values that FOCUS allows."""

    name: str
    category: str
    subcategory: str
    charge: str = "Usage"
    frequency: str = "Usage-Based"


AI, GENERATIVE = "AI and Machine Learning", "Generative AI"
MACHINES = ("Compute", "Virtual Machines")
BILLING = ("Other", "Other (Other)")

SERVICES: dict[str, Service] = {
    Category.TOKENS: Service("model API", AI, GENERATIVE),
    Category.WEB_SEARCH: Service("web search", AI, GENERATIVE),
    Category.CODE_EXECUTION: Service("code execution", AI, GENERATIVE),
    Category.SESSION: Service("agent sessions", AI, GENERATIVE),
    Category.GPU: Service("GPU rental", *MACHINES),
    Category.CPU: Service("CPU", *MACHINES),
    Category.VM: Service("virtual machines", *MACHINES),
    Category.DISK: Service("disk", "Storage", "Block Storage"),
    Category.NETWORK: Service("network", "Networking", "Network Connectivity"),
    Category.SUBSCRIPTION: Service("subscription", *BILLING, "Purchase", "Recurring"),
    Category.UPKEEP: Service(
        "upkeep", "Management and Governance", "Other (Management and Governance)", "Purchase", "Recurring"
    ),
    Category.CREDIT: Service("credit", *BILLING, "Credit", "One-Time"),
    Category.TAX: Service("tax", *BILLING, "Tax", "One-Time"),
    Category.ADJUSTMENT: Service("adjustment", *BILLING, "Adjustment", "One-Time"),
    Category.INVOICE: Service("invoice", *BILLING),
    Category.OTHER: Service("other", *BILLING),
}


def service(category: str) -> Service:
    return SERVICES.get(category, SERVICES[Category.OTHER])
