"""What we show others of our uptime: a named choice, open to strangers only where somebody chose so."""

from __future__ import annotations

import secrets

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from lib.soft_delete import SoftDeleted, SoftDeletedQuerySet
from providers.models.deployments import Deployment
from providers.models.heartbeats import Heartbeat


def new_token() -> str:
    return secrets.token_urlsafe(24)


class StatusPageQuerySet(SoftDeletedQuerySet["StatusPage"]):
    def at(self, address: str) -> StatusPage | None:
        """The page that strangers find at an address: the name of a public one, the token of an unlisted one."""
        public = Q(access="public", slug=address)
        return self.not_deleted().filter(public | Q(access="unlisted", token=address)).first()


class StatusPage(SoftDeleted):
    """A choice of deployments and heartbeats with their state; never money, addresses or what engines answered."""

    class Access(models.TextChoices):
        OFF = "off", _("draft, not public")
        UNLISTED = "unlisted", _("people with the secret link")
        PUBLIC = "public", _("everyone")

    slug = models.SlugField(max_length=80)
    title = models.CharField(max_length=100)
    intro = models.CharField(max_length=500, blank=True)
    access = models.CharField(max_length=8, choices=Access.choices, default=Access.OFF)
    token = models.CharField(max_length=40, unique=True, default=new_token, editable=False)
    deployments = models.ManyToManyField(Deployment, blank=True, related_name="status_pages")
    heartbeats = models.ManyToManyField(Heartbeat, blank=True, related_name="status_pages")
    changed_at = models.DateTimeField(auto_now=True)

    objects = StatusPageQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(
                fields=["slug"], condition=models.Q(deleted_at=None), name="one_kept_status_page_of_a_name"
            )
        ]

    def __str__(self) -> str:
        return self.slug

    def get_absolute_url(self) -> str:
        return reverse("providers:status", args=[self.address])

    @property
    def address(self) -> str:
        """Its part of the URL: the name where everybody may find it, else the secret token."""
        return self.slug if self.access == self.Access.PUBLIC else self.token

    @property
    def open(self) -> bool:
        return self.access != self.Access.OFF
