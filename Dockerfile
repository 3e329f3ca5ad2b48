# The studio as a container, as Hugging Face Spaces run them: user 1000, port 7860.
FROM python:3.11-slim

# Where pip takes torch from. On Linux the default index brings the CUDA build, several GB larger.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

RUN apt-get update \
    && apt-get install -y --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 stemgen

WORKDIR /home/stemgen/studio
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# Requirements first: a change of the code does not install them again.
COPY requirements.txt requirements-no-deps.txt ./
RUN pip install --index-url "$TORCH_INDEX" "$(grep '^torch==' requirements.txt)" \
    && pip install -r requirements.txt \
    && pip install --no-deps -r requirements-no-deps.txt

COPY . .
RUN pip install --no-deps -e . && install -d -o stemgen -g stemgen /home/stemgen/data

USER stemgen
ENV HOST=0.0.0.0 PORT=7860 STEMGEN_DATA=/home/stemgen/data PYTHONUNBUFFERED=1 GRADIO_ANALYTICS_ENABLED=False
EXPOSE 7860
HEALTHCHECK --start-period=120s --interval=60s --timeout=10s \
    CMD python -c "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/', timeout=8)"
CMD ["python", "-m", "app"]
