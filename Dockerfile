# One image for every process; docker-compose.yml says which runs where.
FROM python:3.13-slim-trixie AS build
WORKDIR /app
RUN python -m venv --without-pip /venv
COPY requirements/base.txt requirements/base.txt
RUN python -m pip --python /venv/bin/python install --no-cache-dir --no-deps --require-hashes --only-binary :all: -r requirements/base.txt
COPY . .
RUN /venv/bin/python -m dashboard.static_files.collect && /venv/bin/python -m compileall -q lib providers traffic costs alerts dashboard demo sandbox

FROM python:3.13-slim-trixie
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=262144 MALLOC_TRIM_THRESHOLD_=65536 BREAKEVEN_DATA=/data HOST=0.0.0.0 PORT=8000 GATEWAY_PORT=8001
# Nothing is installed in it any more, and what installs is no part of what runs.
RUN python -m pip uninstall --yes --quiet pip
RUN useradd --uid 10001 --home-dir /data --shell /usr/sbin/nologin breakeven \
    && install --directory --owner breakeven --mode 0700 /data
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER breakeven
VOLUME /data
EXPOSE 8000 8001
CMD ["python", "manage.py", "help"]
