"""Reads of the channels: which there are, which rules tell each, what it answered last."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from alerts.models import Channel, Delivery, Rule


def channels() -> list[Channel]:
    """All that are not deleted, with their rules."""
    return list(Channel.objects.not_deleted().with_rules())


def channel_by_slug(slug: str) -> Channel:
    """One that is not deleted. Raises Http404."""
    return get_object_or_404(Channel.objects.not_deleted(), slug=slug)


def any_channel_by_slug(slug: str) -> Channel:
    """One that may be deleted. Raises Http404."""
    return get_object_or_404(Channel, slug=slug)


def rules_of(channel: Channel) -> list[Rule]:
    """The rules that tell a channel; none for one that is not saved yet."""
    return list(channel.rules.all()) if channel.pk else []


def newest_deliveries(channel: Channel) -> list[Delivery]:
    """Its latest messages; none for one that is not saved yet."""
    return Delivery.objects.newest_to(channel.slug) if channel.pk else []
