"""Caps at the gateway: what a call may use is reserved in Valkey before it is sent, and settled by what it used."""
