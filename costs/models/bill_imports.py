"""Bills of other vendors that people brought as files."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from providers.models import usd


class BillImport(models.Model):
    """A vendor's bill in FOCUS: looked at first, entered as charges when a person says so, taken back whole.

    `bills` says which bills it holds, `provider/account/YYYY-MM` each: none of them can be entered twice.
    """

    file_name = models.CharField(max_length=120)
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()  # as it came
    rows = models.PositiveIntegerField()
    amount = usd()
    bills = models.JSONField(default=list)
    entered_at = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["sha256"], condition=models.Q(undone_at=None), name="one_bill_import_of_a_file"
            )
        ]

    def __str__(self) -> str:
        return self.file_name
