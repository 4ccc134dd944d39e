"""What the script takes from tt-metal's `model_config.py`."""


class DecodersPrecision:
    @staticmethod
    def performance(n_layers, model_name):
        return (n_layers, model_name)
