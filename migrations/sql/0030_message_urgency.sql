-- Messaging: a message that breaks quiet hours (D11).
ALTER TABLE message_intent ADD COLUMN urgent boolean NOT NULL DEFAULT false;
