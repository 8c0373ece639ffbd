-- How a person proved who they are, as the provider says it: its own word (acr), and the means (amr), one a line.
ALTER TABLE sign_ins ADD COLUMN acr TEXT;
ALTER TABLE sign_ins ADD COLUMN amr TEXT;
