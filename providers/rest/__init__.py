"""What the routers of the JSON API share: errors, periods, pages and shapes. It lives here because every app may."""
