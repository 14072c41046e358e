#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Asks a running server through keras-model-client, as VARS users' scripts do.

    python client_test.py BASE_URL MODEL PICTURE

PICTURE must be one in which the model finds something. Prints a line per check; exits with 1 at the first one that
fails. Needs keras-model-client from PyPI.
"""

import argparse
import sys
from pathlib import Path

import requests
from keras_model_client import predict

PATHS = ["/predictor/", "/predictor", "/model/v1/predictor/", "/model/v1/predictor"]


def passed(text):
    print(f"ok    {text}", flush=True)


def check_answer(result):
    assert result.success
    assert result.predictions, "nothing is found in the picture"
    for prediction in result.predictions:
        assert isinstance(prediction.category_id, str) and prediction.category_id
        assert prediction.scores and all(0 < score <= 1 for score in prediction.scores), prediction
        left, top, right, bottom = prediction.bbox
        assert 0 <= left < right and 0 <= top < bottom, prediction


def check_paths(base_url, model, picture):
    answers = [predict(picture, model, base_url + path) for path in PATHS]
    for answer in answers:
        check_answer(answer)
    assert all(answer == answers[0] for answer in answers), "the paths do not answer alike"
    passed(f"{len(PATHS)} paths answer alike: {len(answers[0].predictions)} predictions")


def check_file_without_ending(base_url, model, picture):
    # The client sends no content type for a file whose name says nothing.
    nameless = picture.with_name("no-ending")
    nameless.write_bytes(picture.read_bytes())
    check_answer(predict(nameless, model, base_url + PATHS[0]))
    passed("a file whose name says nothing of its kind is answered")


def check_unknown_model(base_url, picture):
    try:
        predict(picture, "no-such-model", base_url + PATHS[0])
    except requests.HTTPError as error:
        answer = error.response.json()
        assert error.response.status_code == 404
        assert answer["success"] is False and answer["predictions"] == [] and "no-such-model" in answer["error"]
        passed(f"an unknown model is an error: {answer['error']}")
    else:
        raise AssertionError("an unknown model is answered")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base_url", metavar="BASE_URL")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("picture", metavar="PICTURE", type=Path)
    arguments = parser.parse_args()
    base_url = arguments.base_url.rstrip("/")
    try:
        check_paths(base_url, arguments.model, arguments.picture)
        check_file_without_ending(base_url, arguments.model, arguments.picture)
        check_unknown_model(base_url, arguments.picture)
    except AssertionError as failure:
        sys.exit(f"FAIL  {failure}")


if __name__ == "__main__":
    main()
