import hashlib
from typing import Any

from django.db import migrations, models

DIGESTS = "SELECT id, prompt_digest FROM traffic_pair WHERE prompt_digest <> ''"
STORE = """
UPDATE traffic_pair AS p SET prompt_digest = k.digest FROM unnest(%s::bigint[], %s::text[]) AS k(id, digest)
WHERE k.id = p.id
"""


def give_keys(apps: Any, schema_editor: Any) -> None:
    """Digests of prompts were SHA-256 without a key, which tell a prompt to who guesses it."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT salt FROM traffic_installation LIMIT 1")
        salt = bytes((cursor.fetchone() or (b"",))[0])
        cursor.execute(DIGESTS)
        rows = cursor.fetchall()
        keyed = [hashlib.blake2b(plain.encode(), key=salt[:64], digest_size=32).hexdigest() for _pk, plain in rows]
        cursor.execute(STORE, [[pk for pk, _plain in rows], keyed])


class Migration(migrations.Migration):
    dependencies = [
        ("traffic", "0036_raters_by_number"),
    ]

    operations = [
        migrations.AddIndex(
            "rating",
            models.Index(condition=models.Q(("comment", ""), _negated=True), fields=["day"], name="rating_commented"),
        ),
        migrations.RunPython(give_keys, migrations.RunPython.noop),
    ]
