"""The Overview page: are we on plan, up, good enough, and should we self-host?"""
