"""Deployments as judges of answers, held against people."""
