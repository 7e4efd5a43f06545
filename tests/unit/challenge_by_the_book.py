"""The score of the PhysioNet/CinC Challenge 2021 by its definition, slowly, to compare ours with."""

import numpy as np


def challenge_by_the_book(truth, predicted, rewards, normal):
    """The Challenge's score of one sample, pair of classes by pair of classes."""

    def total(answers):
        reward = 0.0
        for true_row, answer_row in zip(truth, answers, strict=True):
            true_classes, answered = set(np.flatnonzero(true_row)), set(np.flatnonzero(answer_row))
            for true_class in true_classes:
                for answer in answered:
                    reward += rewards[true_class, answer] / len(true_classes | answered)
        return reward

    inactive = np.zeros_like(predicted)
    inactive[:, normal] = 1
    return (total(predicted) - total(inactive)) / (total(truth) - total(inactive))
