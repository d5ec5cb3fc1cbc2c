"""`manage.py createsuperuser`: Django's own, which holds a password of the environment to the rules as well."""

from __future__ import annotations

import os
from typing import Any

from django.contrib.auth.management.commands.createsuperuser import Command as DjangoCommand
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

VARIABLE = "DJANGO_SUPERUSER_PASSWORD"


class Command(DjangoCommand):
    def handle(self, *args: Any, **options: Any) -> None:
        password = os.environ.get(VARIABLE)
        if not options["interactive"] and password is not None:
            name = options.get("username") or os.environ.get("DJANGO_SUPERUSER_USERNAME", "")
            try:
                validate_password(password, User(username=name, email=options.get("email") or ""))
            except ValidationError as error:
                raise CommandError(f"{VARIABLE} is refused: {' '.join(error.messages)}") from None
        super().handle(*args, **options)
