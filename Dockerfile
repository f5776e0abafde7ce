# docker build -t wsss . && docker run --rm -v "$PWD:/data" wsss doctor
# With a GPU: docker run --rm --gpus all --shm-size 1g -v "$PWD:/data" wsss train --data VOC2012
FROM python:3.12-slim
# What opencv-python links to.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
COPY . /source
RUN pip install --no-cache-dir /source && rm -rf /source
WORKDIR /data
ENTRYPOINT ["wsss"]
