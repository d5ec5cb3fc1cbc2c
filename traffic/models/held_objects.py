"""What vendors hold for our applications, so that each is reached where it is, and by its owner."""

from __future__ import annotations

from django.db import models


class HeldObject(models.Model):
    """A file, a batch, or an answer that a vendor stored, by the vendor's id. Written by the gateway."""

    vendor_id = models.CharField(max_length=200)
    deployment = models.ForeignKey("providers.Deployment", on_delete=models.CASCADE, related_name="+")
    application = models.ForeignKey("traffic.Application", null=True, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    is_answer = models.BooleanField(default=False, db_default=False)  # or its sound; a vendor forgets it after a month

    class Meta:
        constraints = [models.UniqueConstraint(fields=["vendor_id", "deployment"], name="one_object_of_a_deployment")]

    def __str__(self) -> str:
        return self.vendor_id
