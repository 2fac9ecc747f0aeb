"""What a user of Keras 3 writes to train a model of Fashion MNIST, from nothing to saved weights:

    train_keras.py MODEL.nn BATCH THREADS VARIANT EPOCHS

Answers {"val_loss": of the last epoch}."""
import sys

import common
import keras_model

epochs, images = int(sys.argv[5]), common.images(common.TRAINING + 5000)
training, validation = images[:common.TRAINING], images[common.TRAINING:]
model = keras_model.compiled()
history = model.fit(training, training, batch_size=common.batch, epochs=epochs, verbose=0,
                    validation_data=(validation, validation))
model.save_weights("trained.weights.h5")
common.answer(val_loss=history.history["val_loss"][-1])
